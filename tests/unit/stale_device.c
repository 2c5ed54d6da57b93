/* Of the devices that have a target's name, which may be taken out of the tailnet. */
#include "stage/stale_device.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

/* What may be removed; each test spoils one thing of it. */
struct scene {
    struct target target;
    struct tailnet_sight sight;
    struct tailnet_seen seen;
    struct json *known;
    char id[8], name[8];
};

static void set_up(struct scene *scene)
{
    static const char none[] = "[]";
    *scene = (struct scene){.id = "41", .name = "web"};
    scene->target.stale_remove = true;
    words_add(&scene->target.tailnet.tags, "tag:host");
    scene->seen = (struct tailnet_seen){.id = scene->id, .name = scene->name, .hostname = scene->name};
    words_add(&scene->seen.addresses, "100.64.0.7");
    words_add_all(&scene->seen.tags, "tag:more", "tag:host", NULL);
    scene->sight.api = (struct tailnet_api *)scene; /* it is only there */
    scene->known = json_parse(none, strlen(none), NULL);
}

static void tear_down(struct scene *scene)
{
    words_clear(&scene->target.tailnet.tags);
    words_clear(&scene->seen.addresses);
    words_clear(&scene->seen.tags);
    json_free(scene->known);
}

static char *ask(const struct scene *scene)
{
    return stale_device_stays(&scene->target, scene->known, &scene->sight, &scene->seen);
}

#define EXPECT_STAYS(because, spoil)                                                                    \
    do {                                                                                                \
        struct scene scene;                                                                             \
        set_up(&scene);                                                                                 \
        spoil;                                                                                          \
        AUTO_FREE char *why = ask(&scene);                                                              \
        cr_expect(why &&strstr(why, because), "expected '%s', got: %s", because, why ? why : "(none)"); \
        tear_down(&scene);                                                                              \
    } while (0)

static void know(struct scene *scene, const char *list)
{
    json_free(scene->known);
    scene->known = json_parse(list, strlen(list), NULL);
}

Test(stale_device, one_that_is_ended_and_carries_the_tags_and_is_nobodys_may_go)
{
    struct scene scene;
    set_up(&scene);
    know(&scene, "[{\"target\": \"db\", \"address\": \"100.64.0.8\"}, {\"target\": \"new\"}, {\"target\": "
                 "\"old\", \"name\": \"web\", \"address\": \"100.64.0.9\"}]");
    AUTO_FREE char *why = ask(&scene);
    cr_expect_null(why, "%s", why ? why : "");
    tear_down(&scene);
}

Test(stale_device, stays_where_anything_speaks_for_it)
{
    EXPECT_STAYS("'stale: remove' would remove", scene.target.stale_remove = false);
    EXPECT_STAYS("by the API only", scene.sight.api = NULL);
    EXPECT_STAYS("by the API only", scene.seen.id = NULL);
    EXPECT_STAYS("it is connected", scene.seen.connected = true);
    EXPECT_STAYS("does not carry tag:two", words_add(&scene.target.tailnet.tags, "tag:two"));
    EXPECT_STAYS("no tags by which", words_clear(&scene.target.tailnet.tags));
}

Test(stale_device, stays_where_it_is_the_device_of_a_machine_of_the_store_which_is_named)
{
    EXPECT_STAYS("it is the machine of target shop-db",
                 know(&scene,
                      "[{\"target\": \"new\"}, {\"target\": \"shop-db\", \"address\": \"100.64.0.7\"}]"));
    EXPECT_STAYS("it is the machine of target shop-db",
                 know(&scene, "[{\"target\": \"shop-db\", \"name\": \"web\"}]"));
}
