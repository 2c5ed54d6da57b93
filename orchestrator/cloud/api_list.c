/* Listings, page by page. */
#include "cloud/api.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

enum { PER_PAGE = 50, PAGES_MOST = 200, WALKS_MOST = 3, BYTES_MOST = 64 << 20 };

struct walk {
    const char *path, *member;
    struct json *items;
    int64_t before; /* how much had been received */
    int64_t total;  /* as the first page says */
    bool disturbed; /* something came or went meanwhile: what was seen may lack an item that is there */
};

static int strange(const struct walk *walk, const char *what, enum cloud_class *class, struct error *err)
{
    AUTO_FREE char *doing = xasprintf("GET %s", walk->path);
    struct cloud_failure failure = cloud_failure_of(CLOUD_TRANSIENT);
    return cloud_api_fail(&failure, doing, 0, NULL, what, class, err);
}

/* The next page's number, 0 where this is the last; -1: failed. */
static int64_t take_page(struct walk *walk, int64_t page, const struct json *said, enum cloud_class *class,
                         struct error *err)
{
    const struct json *items = json_get(said, walk->member);
    const struct json *pages = json_get(json_get(said, "meta"), "pagination");
    int64_t next = json_get_integer(pages, "next_page", 0),
            total = json_get_integer(pages, "total_entries", -1);
    if (!json_is_array(items))
        return strange(walk, "a page lacks what was asked for", class, err);
    if (!json_is_object(pages) || json_get_integer(pages, "page", page) != page || (next && next != page + 1))
        return strange(walk, "a page does not say which it is, or which is next", class, err);
    if (json_count(items) > PER_PAGE)
        return strange(walk, "a page has more than was asked for", class, err);
    for (size_t i = 0; i < json_count(items); i++)
        json_append(walk->items, json_keep(json_at(items, i)));
    walk->disturbed |= page > 1 && total != walk->total;
    walk->total = total;
    return next;
}

static int walk_pages(struct cloud_api *api, struct walk *walk, enum cloud_class *class, struct error *err)
{
    for (int64_t page = 1; page;) {
        AUTO_JSON *said = NULL;
        AUTO_FREE char *path = xasprintf("%s%cpage=%lld&per_page=%d", walk->path,
                                         strchr(walk->path, '?') ? '&' : '?', (long long)page, PER_PAGE);
        if (page > PAGES_MOST || cloud_api_received(api) - walk->before > BYTES_MOST)
            return strange(walk, "it has no end", class, err);
        if (cloud_api_get(api, path, &said, class, err) < 0 ||
            (page = take_page(walk, page, said, class, err)) < 0)
            return -1;
    }
    walk->disturbed |= walk->total >= 0 && (int64_t)json_count(walk->items) != walk->total;
    return 0;
}

int cloud_api_list(struct cloud_api *api, const char *path, const char *member, struct json **array,
                   enum cloud_class *class, struct error *err)
{
    for (int walks = 1;; walks++) {
        AUTO_JSON *items = json_new_array();
        struct walk walk = {
            .path = path, .member = member, .items = items, .before = cloud_api_received(api)};
        if (walk_pages(api, &walk, class, err) < 0)
            return -1;
        if (!walk.disturbed) {
            *array = TAKE(items);
            return 0;
        }
        if (walks == WALKS_MOST)
            return strange(&walk, "its pages do not add up to what it says there is", class, err);
        cloud_api_say(api, "a listing changed while it was read (GET %s): again", path);
    }
}
