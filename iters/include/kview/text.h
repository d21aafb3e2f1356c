/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The record as text, printed inside the kernel: what `cat` of a pin shows. One loop walks the
 * table of columns that the loader made from the object's BTF. Tab-separated, one line per
 * record, a header line.
 *
 * Strings go out with bpf_seq_write, since bpf_seq_printf cuts a %s at 511
 * bytes, and control bytes become '?': a name must not forge a row.
 */
#ifndef KVIEW_TEXT_H
#define KVIEW_TEXT_H

/* The loops are callbacks of bpf_loop: the verifier walks each body once. */
struct kv_text_ctx {
	struct seq_file *seq;
	struct kv_scratch *scratch;
	struct kv_buffer *record, *part;
	__u64 off, n; /* of the string being worked on */
};

static long kv_clean_byte(__u64 i, struct kv_text_ctx *t)
{
	__u64 at = t->off + i;
	char *b;

	if (i >= t->n || at >= sizeof(t->part->bytes))
		return 1;
	b = t->part->bytes + at;
	if ((unsigned char)*b < 0x20 || *b == 0x7f)
		*b = '?';
	return 0;
}

static __always_inline void kv_text_part(struct kv_text_ctx *t, struct kv_buffer *part, __u64 off,
					 __u64 n)
{
	kv_opaque(off);
	kv_opaque(n);
	if (!part || off > sizeof(part->bytes) - KV_PATH_MAX || n > KV_PATH_MAX)
		return;
	t->part = part;
	t->off = off;
	t->n = n;
	bpf_loop(KV_PATH_MAX, kv_clean_byte, t, 0);
	bpf_seq_write(t->seq, part->bytes + off, n);
}

/* The end of a string that was lengthened may lie in the second buffer. */
static __always_inline void kv_text_bytes(struct kv_text_ctx *t, __u64 off, __u64 n)
{
	__u64 split = t->scratch->split, first = n;

	if (split && off + n > split)
		first = off < split ? split - off : 0;
	if (first)
		kv_text_part(t, t->record, off, first);
	if (n > first)
		kv_text_part(t, kv_second_buffer(), off + first - split, n - first);
}

static __always_inline void kv_text_chars(struct kv_text_ctx *t, __u32 off, __u64 size)
{
	long n = 0;

	kv_opaque(size);
	if (size <= KV_CHARS_MAX) /* a copy, to learn where it ends */
		n = bpf_probe_read_kernel_str(t->scratch->chars, size + 1, t->record->bytes + off);
	if (n > 1)
		kv_text_part(t, t->record, off, n - 1);
	else
		bpf_seq_write(t->seq, "-", 1);
}

static __always_inline void kv_text_ip(struct kv_text_ctx *t, struct kv_ip *ip)
{
	if (ip->family == 4)
		BPF_SEQ_PRINTF(t->seq, "%pI4", (unsigned long)ip->bytes);
	else if (ip->family == 6)
		BPF_SEQ_PRINTF(t->seq, "%pI6c", (unsigned long)ip->bytes);
	else if (ip->family == KV_IP_NUMBER)
		BPF_SEQ_PRINTF(t->seq, "%u", *(__u32 *)ip->bytes);
	else if (ip->family)
		bpf_seq_write(t->seq, "(unreadable)", sizeof("(unreadable)") - 1);
	else
		bpf_seq_write(t->seq, "-", sizeof("-") - 1);
}

static long kv_text_hex_byte(__u64 i, struct kv_text_ctx *t)
{
	__u64 at = t->off + i;

	if (at >= KV_FIXED_MAX)
		return 1;
	BPF_SEQ_PRINTF(t->seq, "%02x", (unsigned char)t->record->bytes[at]);
	return 0;
}

/* The counts of all buckets. */
static long kv_text_count(__u64 i, struct kv_text_ctx *t)
{
	__u64 at = t->off + i * 8;

	kv_opaque(at);
	if (at > KV_FIXED_MAX - 8)
		return 1;
	if (i)
		bpf_seq_write(t->seq, ",", 1);
	BPF_SEQ_PRINTF(t->seq, "%llu", *(__u64 *)(t->record->bytes + at));
	return 0;
}

static __always_inline void kv_text_str(struct kv_text_ctx *t, struct kv_str *s)
{
	__u32 off = s->off, len = s->len;

	if (off == KV_STR_NONE)
		bpf_seq_write(t->seq, "-", sizeof("-") - 1);
	else if (off == KV_STR_TOO_LONG)
		bpf_seq_write(t->seq, "(too long)", sizeof("(too long)") - 1);
	else if (off == KV_STR_UNREADABLE)
		bpf_seq_write(t->seq, "(unreadable)", sizeof("(unreadable)") - 1);
	else if (len)
		kv_text_bytes(t, off, len);
}

/* 16 octal digits, as the hex digits that bpf_seq_printf() can print. */
static __always_inline __u64 kv_octal_as_hex(__u64 v)
{
	__u64 hex = 0;

	for (int i = 0; i < 16; i++)
		hex |= (v >> (3 * i) & 7) << (4 * i);
	return hex;
}

static __always_inline void kv_text_oct(struct kv_text_ctx *t, __u64 v)
{
	if (v >> 48)
		BPF_SEQ_PRINTF(t->seq, "0%llx%016llx", kv_octal_as_hex(v >> 48),
			       kv_octal_as_hex(v));
	else
		BPF_SEQ_PRINTF(t->seq, "0%llx", kv_octal_as_hex(v));
}

static __always_inline void kv_text_seconds(struct kv_text_ctx *t, bool is_signed, __u64 v)
{
	if (is_signed && (__s64)v < 0) {
		bpf_seq_write(t->seq, "-", 1);
		v = -v;
	}
	BPF_SEQ_PRINTF(t->seq, "%llu.%09llu", v / 1000000000, v % 1000000000);
}

static __always_inline void kv_text_number(struct kv_text_ctx *t, __u8 show, bool is_signed,
					   __u64 v)
{
	if (show == KV_SHOW_HEX)
		BPF_SEQ_PRINTF(t->seq, "%08llx", v);
	else if (show == KV_SHOW_OCT)
		kv_text_oct(t, v);
	else if (show == KV_SHOW_SECONDS)
		kv_text_seconds(t, is_signed, v);
	else if (show == KV_SHOW_DEV)
		BPF_SEQ_PRINTF(t->seq, "%02llx:%02llx", v >> 20, v & 0xfffff);
	else if (is_signed)
		BPF_SEQ_PRINTF(t->seq, "%lld", v);
	else
		BPF_SEQ_PRINTF(t->seq, "%llu", v);
}

static __always_inline __u64 kv_text_load(const char *field, __u32 size, bool is_signed)
{
	__u64 v = size == 8   ? *(__u64 *)field
		  : size == 4 ? *(__u32 *)field
		  : size == 2 ? *(__u16 *)field
			      : *(__u8 *)field;
	__u32 spare = 64 - (size & 15) * 8;

	if (is_signed && spare < 64)
		v = (__s64)(v << spare) >> spare;
	return v;
}

static long kv_text_field(__u64 i, struct kv_text_ctx *t)
{
	const volatile struct kv_text_column *col;
	__u32 off;
	__u64 v;

	if (i >= KV_MAX_COLUMNS)
		return 1;
	if (i)
		bpf_seq_write(t->seq, "\t", 1);
	col = &kv_table()->columns[i];
	off = col->off;
	if (off > KV_FIXED_MAX - 8)
		return 1;
	if (kv_table()->lacks[off]) {
		bpf_seq_write(t->seq, "-", sizeof("-") - 1);
	} else if (col->type == KV_TYPE_STR) {
		kv_text_str(t, (struct kv_str *)(t->record->bytes + off));
	} else if (col->type == KV_TYPE_CHARS) {
		kv_text_chars(t, off, col->size);
	} else if (col->type == KV_TYPE_IP) {
		kv_text_ip(t, (struct kv_ip *)(t->record->bytes + off));
	} else if (col->type == KV_TYPE_BYTES) {
		t->off = off;
		bpf_loop(col->size, kv_text_hex_byte, t, 0);
	} else if (col->type == KV_TYPE_HISTOGRAM) {
		t->off = off;
		bpf_loop(col->size / 8, kv_text_count, t, 0);
	} else {
		v = kv_text_load(t->record->bytes + off, col->size, col->type == KV_TYPE_INT);
		if (col->has_none && v == (__u64)col->none) {
			bpf_seq_write(t->seq, "-", sizeof("-") - 1);
		} else {
			/* Hex and octal have no sign: the field's own bits. */
			if (col->show != KV_SHOW_DEC && col->show != KV_SHOW_SECONDS)
				v = kv_text_load(t->record->bytes + off, col->size, false);
			kv_text_number(t, col->show, col->type == KV_TYPE_INT, v);
		}
	}
	return 0;
}

static long kv_text_name(__u64 i, struct kv_text_ctx *t)
{
	const volatile struct kv_text_column *col;

	if (i >= KV_MAX_COLUMNS)
		return 1;
	col = &kv_table()->columns[i];
	if (i)
		bpf_seq_write(t->seq, "\t", 1);
	BPF_SEQ_PRINTF(t->seq, "%s", (unsigned long)col->name);
	return 0;
}

/* A line of what @column prints of each column: kv_text_name() or kv_text_field(). */
static __always_inline void kv_text_line(struct kv_call *c,
					 long (*column)(__u64 i, struct kv_text_ctx *t))
{
	struct kv_text_ctx t = {.seq = c->seq, .scratch = c->scratch, .record = c->record};

	bpf_loop(kv_table()->ncolumns, column, &t, 0);
	bpf_seq_write(c->seq, "\n", 1);
}

#endif
