/* SPDX-License-Identifier: GPL-2.0-only */
/* Histograms of times: from a microsecond to four seconds, the same in each view. */
#ifndef KVIEW_LATENCY_H
#define KVIEW_LATENCY_H

#include "histogram.h"

#define KV_LATENCY_FIRST 1000 /* ns */
#define KV_LATENCIES 24

#endif
