// SPDX-License-Identifier: GPL-2.0-only
#include "load/view_name.h"

#include <string.h>

#include "load/view.h"
#include "render/render.h"

#define NAME_MAX_LEN 48
#define RAW_NAME_MAX 200

static bool is_taken(const struct kv_views *views, const struct kv_view *view)
{
	for (size_t i = 0; i < views->n; i++)
		if (&views->list[i] != view && strcmp(views->list[i].name, view->name) == 0)
			return true;
	return false;
}

const char *kv_view_wrong_name(const struct kv_views *views, const struct kv_view *view)
{
	static const char *const taken[] = {"pid", "map", "raw", "schema", "status", "self"};
	const char *name = view->name;

	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		return "a view's name is of a-z, 0-9 and _";
	if (*name < 'a' || *name > 'z' || strlen(name) > NAME_MAX_LEN)
		return "a view's name begins with a letter and has at most 48";
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(name, taken[i]) == 0 || kv_format_is_dir(name))
			return "that name is the mount's own";
	return is_taken(views, view) ? "there is a view of that name already" : NULL;
}

const char *kv_view_wrong_raw_name(const struct kv_views *views, const struct kv_view *view)
{
	const char *name = view->name;

	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '/')
			return "its name has a slash, or bytes that are no visible ASCII";
	if (*name == '.' || strlen(name) > RAW_NAME_MAX)
		return "its name with that of the program begins with '.', or has more than 200";
	return is_taken(views, view) ? "there is an iterator of that name already" : NULL;
}
