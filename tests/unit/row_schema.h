/* SPDX-License-Identifier: GPL-2.0-only */
/* A view of a number and a name, for whoever makes records by hand. */
#ifndef KVIEW_UNIT_ROW_SCHEMA_H
#define KVIEW_UNIT_ROW_SCHEMA_H

#include "schema/schema.h"

/* Bytes before those of the name: the head, the number, and where the name is. */
#define ROW_FIXED 12

static struct kv_schema row_schema = {
	.shows = (char *)"",
	.since = (char *)"",
	.fixed = ROW_FIXED,
	.ncolumns = 2,
	.strings = 1 << 1,
	.columns =
		{
			{.name = (char *)"n",
			 .unit = (char *)"",
			 .meaning = (char *)"a number",
			 .type = KV_TYPE_UINT,
			 .off = 4,
			 .size = 4,
			 .width = 1},
			{.name = (char *)"name",
			 .unit = (char *)"",
			 .meaning = (char *)"its name",
			 .type = KV_TYPE_STR,
			 .off = 8,
			 .size = 4,
			 .width = 4},
		},
};

#endif
