// SPDX-License-Identifier: GPL-2.0-only
/* The view `dmabuf`: a row per DMA buffer, as /sys/kernel/debug/dma_buf/bufinfo. */
#include "kview.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	atomic64_t refcnt;
} file_ref_t;

struct file___ref {
	file_ref_t f_ref;
};

struct dma_buf {
	unsigned long size;
	struct file *file;
	const char *exp_name;
	const char *name;
};

struct dmabuf_iter_priv {
	struct dma_buf *dmabuf;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

struct bpf_iter__dmabuf {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct dma_buf, dmabuf);
};

struct dmabuf_row {
	struct kv_head _head;
	__u32 _pad;
	__u64 ino KV_ROLE(key) KV_MEANS("inode number, as task_file has it") KV_WIDTH(6);
	__u64 size KV_ROLE(gauge) KV_MEANS("size of the buffer") KV_UNIT("bytes") KV_WIDTH(11);
	__s64 refs KV_ROLE(gauge) KV_MEANS("references: descriptors, mappings, drivers")
		KV_WIDTH(5);
	__u32 flags KV_MEANS("open flags, in octal") KV_SHOW(oct) KV_WIDTH(8);
	struct kv_str exporter KV_MEANS("driver that made it") KV_WIDTH(12);
	struct kv_str name KV_MEANS("name that a user of it gave it");
	__u32 _end;
};

KV_VIEW(dmabuf_row, "a row per DMA buffer: size, users, exporter, name", "6.16");

#define HAS(column) kv_has(dmabuf_row, column)

/*
 * Before "bpf: Fix truncated dmabuf iterator reads" (6.19, and stable kernels) the iterator ended
 * with the first read, whatever came behind. A view that loses rows is not served, so what that
 * commit added is needed.
 */
static __always_inline void need_whole_walk(void)
{
	__u64 offset = bpf_core_field_offset(struct dmabuf_iter_priv, dmabuf);

	kv_opaque(offset);
}

#define NAME_TRIES 16

struct naming {
	struct kv_scratch *scratch;
	const struct dma_buf *buffer;
	const char *name;
	__s64 len; /* with its NUL; 0: it changed meanwhile */
};

static __always_inline __s64 read_name(struct naming *n, int to)
{
	__builtin_memset(n->scratch->chars[to], 0, KV_CHARS_MAX);
	return bpf_probe_read_kernel_str(n->scratch->chars[to], KV_CHARS_MAX, n->name);
}

static __always_inline bool same_chars(const struct kv_scratch *scratch)
{
	__u64 differ = 0;

	for (int w = 0; w < KV_CHARS_MAX / 8; w++)
		differ |= scratch->chars[0][w] ^ scratch->chars[1][w];
	return !differ;
}

/*
 * Another name takes the place of the last, which is freed at once. So what was read is a name if
 * the pointer is the same afterwards, and two readings agree: then no other name, or memory of
 * somebody else, was in between.
 */
static long try_name(__u64 i, struct naming *n)
{
	const struct dma_buf *buffer = n->buffer;
	__s64 len;

	n->name = BPF_CORE_READ(buffer, name);
	if (!n->name)
		return 1;
	kv_barrier();
	len = read_name(n, 0);
	kv_barrier();
	if (read_name(n, 1) != len || !same_chars(n->scratch))
		return 0;
	kv_barrier();
	if (BPF_CORE_READ(buffer, name) != n->name)
		return 0;
	n->len = len;
	return 1;
}

static __always_inline void put_name(struct kv_call *c, struct dmabuf_row *r,
				     const struct dma_buf *buffer)
{
	struct naming n = {.scratch = c->scratch, .buffer = buffer};

	bpf_loop(NAME_TRIES, try_name, &n, 0);
	if (n.name)
		kv_put_read_chars(c, &r->name, 0,
				  n.len > 0 && n.len < KV_CHARS_MAX ? n.len - 1 : -1);
}

SEC("iter/dmabuf")
int dmabuf(struct bpf_iter__dmabuf *ctx)
{
	struct dma_buf *buffer = ctx->dmabuf;
	const struct file___ref *file;
	struct dmabuf_row *r;
	struct kv_call c;

	need_whole_walk();
	if (kv_begin(&c, ctx->meta, buffer))
		return 1;
	if (!buffer)
		return 0;
	file = (void *)buffer->file;
	r = kv_record(&c, struct dmabuf_row);
	r->ino = BPF_CORE_READ(buffer, file, f_inode, i_ino);
	kv_set(r, size, buffer->size);
	/* The kernel counts from 0, and one reference is the iterator's own: file_ref_get(). */
	kv_set(r, refs, BPF_CORE_READ(file, f_ref.refcnt.counter));
	kv_set(r, flags, BPF_CORE_READ(buffer, file, f_flags));
	if (HAS(exporter))
		kv_put_string(&c, &r->exporter, buffer->exp_name); /* never changes */
	if (HAS(name))
		put_name(&c, r, buffer);
	return kv_emit(&c);
}
