/* Files: bounded reads, whole writes, a removal that never leaves the tree it was asked to remove. */
#include "base/file.h"

#include "base/memory.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(base_file, .timeout = 30, .fini = hostile_clean);

static void put(const char *path, const char *content)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_replace(path, content, strlen(content), 0600, &err), 0, "%s", error_text(&err));
}

Test(base_file, reading_has_a_bound)
{
    AUTO_FREE char *path = hostile_path("file");
    AUTO_ERROR err = ERROR_INIT;
    AUTO_TEXT text = TEXT_INIT;
    text_add(&text, "before ");
    put(path, "0123456789");
    cr_expect_eq(file_read(path, 9, &text, &err), -1);
    cr_expect_str_eq(text_string(&text), "before ", "outputs are untouched on failure");
    cr_expect(strstr(error_text(&err), path), "%s", error_text(&err));
    cr_expect_eq(file_read(path, 10, &text, &err), 0);
    cr_expect_str_eq(text_string(&text), "before 0123456789");
    cr_expect_eq(file_read("/dev/zero", 100000, &text, &err), -1);
    cr_expect_eq(file_read("/proc/nowhere", 10, &text, &err), -1);
    cr_expect_eq(file_read("/", 10, &text, &err), -1);
}

Test(base_file, tail_is_the_last_bytes)
{
    AUTO_FREE char *path = hostile_path("file");
    AUTO_TEXT text = TEXT_INIT;
    put(path, "0123456789");
    cr_assert_eq(file_read_tail(path, 3, &text, NULL), 0);
    text_add_char(&text, '|');
    cr_assert_eq(file_read_tail(path, 10, &text, NULL), 0);
    text_add_char(&text, '|');
    cr_assert_eq(file_read_tail(path, 100, &text, NULL), 0);
    cr_expect_str_eq(text_string(&text), "789|0123456789|0123456789");
    cr_expect_eq(file_read_tail("/proc/nowhere", 3, &text, NULL), -1);
}

Test(base_file, replaced_file_is_the_old_or_the_new_one)
{
    AUTO_FREE char *path = hostile_path("file");
    AUTO_FREE char *link = hostile_path("link");
    AUTO_FREE char *below = hostile_path("nowhere/file");
    AUTO_TEXT text = TEXT_INIT;
    struct stat state;
    put(path, "old");
    AUTO_CLOSE int open_one = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(file_replace(path, "new", 3, 0640, NULL), 0);
    char old[4] = "";
    cr_expect_eq(read(open_one, old, 3), 3);
    cr_expect_str_eq(old, "old", "who had it open keeps what he had");
    cr_assert_eq(stat(path, &state), 0);
    cr_expect_eq(state.st_mode & 07777, 0640);
    cr_assert_eq(symlink(path, link), 0);
    put(link, "instead of the link");
    cr_assert_eq(file_read(path, 100, &text, NULL), 0);
    cr_expect_str_eq(text_string(&text), "new", "what the link led to is untouched");
    cr_expect_eq(file_replace(below, "x", 1, 0600, NULL), -1);
    AUTO_WORDS names = WORDS_INIT;
    cr_assert_eq(file_list(hostile_folder(), &names, NULL), 0);
    cr_expect_eq(names.count, 2, "nothing half done stays");
}

Test(base_file, full_device_is_an_error_and_leaves_the_old_file)
{
    cr_expect_eq(file_write_all(-1, "x", 1), -1);
    AUTO_CLOSE int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0)
        cr_skip_test("no /dev/full here");
    cr_expect_eq(file_write_all(full, "x", 1), -1);
    cr_expect_eq(errno, ENOSPC);
}

Test(base_file, folders_are_made_as_deep_as_needed)
{
    AUTO_FREE char *deep = hostile_path("a/b//c/");
    AUTO_FREE char *file = hostile_path("file");
    AUTO_FREE char *through = hostile_path("file/below");
    AUTO_ERROR err = ERROR_INIT;
    struct stat state;
    cr_assert_eq(file_make_dirs(deep, 0700, &err), 0, "%s", error_text(&err));
    cr_assert_eq(file_make_dirs(deep, 0700, &err), 0, "%s", error_text(&err));
    cr_assert_eq(stat(deep, &state), 0);
    cr_expect_eq(state.st_mode & 07777, 0700);
    put(file, "x");
    cr_expect_eq(file_make_dirs(through, 0700, &err), -1);
    cr_expect_eq(file_make_dirs(file, 0700, &err), -1);
    cr_expect_eq(file_make_dirs("/", 0700, &err), 0);
}

Test(base_file, removing_a_tree_follows_no_link)
{
    AUTO_FREE char *outside = hostile_path("outside");
    AUTO_FREE char *precious = hostile_path("outside/precious");
    AUTO_FREE char *tree = hostile_path("tree");
    AUTO_FREE char *deep = hostile_path("tree/a/b/c");
    AUTO_FREE char *to_folder = hostile_path("tree/a/link");
    AUTO_FREE char *to_file = hostile_path("tree/file-link");
    AUTO_FREE char *top = hostile_path("top-link");
    AUTO_FREE char *pipe_in_it = hostile_path("tree/fifo");
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_make_dirs(outside, 0700, NULL), 0);
    put(precious, "x");
    cr_assert_eq(file_make_dirs(deep, 0700, NULL), 0);
    cr_assert_eq(symlink(outside, to_folder), 0);
    cr_assert_eq(symlink(precious, to_file), 0);
    cr_assert_eq(symlink(outside, top), 0);
    cr_assert_eq(mkfifo(pipe_in_it, 0600), 0);
    int before = hostile_descriptors();
    cr_expect_eq(file_remove_tree(tree, &err), 0, "%s", error_text(&err));
    cr_expect_eq(file_remove_tree(top, &err), 0, "%s", error_text(&err));
    cr_expect_eq(file_remove_tree(tree, &err), 0, "what is absent is removed");
    cr_expect_not(file_exists(tree));
    cr_expect_not(file_exists(top));
    cr_expect(file_exists(precious), "something outside was removed");
    cr_expect_eq(hostile_descriptors(), before);
}

Test(base_file, removing_a_tree_leaves_what_is_mounted_in_it)
{
    AUTO_FREE char *tree = hostile_path("tree");
    AUTO_FREE char *point = hostile_path("tree/mount");
    AUTO_FREE char *precious = hostile_path("tree/mount/precious");
    AUTO_ERROR err = ERROR_INIT;
    if (unshare(CLONE_NEWNS) < 0)
        cr_skip_test("no mount namespace to be had here");
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(file_make_dirs(point, 0700, NULL), 0);
    cr_assert_eq(mount("none", point, "tmpfs", 0, NULL), 0);
    put(precious, "x");
    cr_expect_eq(file_remove_tree(tree, &err), -1);
    cr_expect(file_exists(precious));
    cr_assert_eq(umount(point), 0);
    cr_expect_eq(file_remove_tree(tree, &err), 0, "%s", error_text(&err));
}

Test(base_file, paths_are_joined_with_one_slash)
{
    static const struct {
        const char *a, *b, *wanted;
    } all[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"},
               {NULL, "b", "b"},  {"", "b", "b"},     {"/", "b", "/b"}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_FREE char *path = file_join(all[i].a, all[i].b);
        cr_expect_str_eq(path, all[i].wanted);
    }
}

Test(base_file, programs_are_found_in_absolute_folders_alone)
{
    AUTO_FREE char *program = hostile_path("tool");
    AUTO_FREE char *folder = hostile_path("folder");
    AUTO_FREE char *hidden = hostile_path("folder/tool");
    AUTO_FREE char *list = xasprintf(":.:relative:%s:%s::", folder, hostile_folder());
    cr_assert_eq(file_replace(program, "#!/bin/sh\n", 10, 0755, NULL), 0);
    cr_assert_eq(file_make_dirs(hidden, 0755, NULL), 0); /* a folder of that name is no program */
    cr_assert_eq(chdir(hostile_folder()), 0);
    AUTO_FREE char *found = file_find_program("tool", list);
    cr_expect_str_eq(found ? found : "", program);
    AUTO_FREE char *here = file_find_program("tool", ":.::");
    cr_expect_null(here, "the current folder is never searched");
    AUTO_FREE char *itself = file_find_program(program, "/nowhere");
    cr_expect_str_eq(itself ? itself : "", program);
    AUTO_FREE char *shell = file_find_program("sh", NULL);
    cr_expect_not_null(shell);
    cr_expect_null(file_find_program("no-such-program-here", NULL));
    cr_assert_eq(chmod(program, 0644), 0);
    if (geteuid() != 0 || access(program, X_OK) != 0)
        cr_expect_null(file_find_program("tool", list));
    cr_assert_eq(chdir("/"), 0);
}

Test(base_file, the_administrators_programs_are_found_with_an_ordinary_users_path_and_behind_it)
{
    AUTO_FREE char *own = hostile_path("chroot");
    cr_assert_eq(setenv("PATH", "/usr/bin:/bin", 1), 0); /* Debian's for who is not root */
    AUTO_FREE char *found = file_find_program("chroot", NULL);
    cr_expect_not_null(found);
    cr_expect_null(file_find_program("chroot", "/nowhere"), "a list that was given is all there is");
    cr_assert_eq(file_replace(own, "#!/bin/sh\n", 10, 0755, NULL), 0);
    cr_assert_eq(setenv("PATH", hostile_folder(), 1), 0);
    AUTO_FREE char *first = file_find_program("chroot", NULL);
    cr_expect_str_eq(first ? first : "", own);
    cr_assert_eq(unlink(own), 0);
    cr_expect_null(file_find_program("chroot", NULL), "a PATH without /usr/bin wants no /usr/sbin");
}

Test(base_file, listing_is_sorted_and_absent_is_empty)
{
    static const char *const names[] = {"b", ".hidden", "a"};
    AUTO_WORDS found = WORDS_INIT;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *path = hostile_path(names[i]);
        put(path, "x");
    }
    cr_assert_eq(file_list(hostile_folder(), &found, NULL), 0);
    cr_assert_eq(found.count, 3);
    cr_expect_str_eq(found.items[0], ".hidden");
    cr_expect_str_eq(found.items[2], "b");
    AUTO_FREE char *absent = hostile_path("absent");
    AUTO_FREE char *file = hostile_path("a");
    cr_expect_eq(file_list(absent, &found, NULL), 0);
    cr_expect_eq(file_list(file, &found, NULL), -1);
    cr_expect_not(file_is_remote("/proc"));
}

Test(base_file, a_path_is_set_against_a_folder_by_whole_names)
{
    AUTO_FREE char *above = file_parent("/a/b"), *root = file_parent("/a"), *here = file_parent("a");
    cr_expect_str_eq(above, "/a");
    cr_expect_str_eq(root, "/");
    cr_expect_str_eq(here, ".");
    cr_expect(file_is_within("/a/b", "/a") && file_is_within("/a", "/a"));
    cr_expect_not(file_is_within("/ab", "/a"));
    cr_expect_not(file_is_within("/a", ""));
    cr_expect_str_eq(file_below("/a/b/c", "/a"), "b/c");
    cr_expect_str_eq(file_below("/ab/c", "/a"), "/ab/c");
}

/* Its user may put something else in its place before it is theirs. */
Test(base_file, what_is_given_away_is_that_file_alone)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    AUTO_FREE char *others = hostile_path("others"), *hard = hostile_path("hard"),
                   *link_path = hostile_path("link"), *own = hostile_path("own");
    struct stat state;
    put(others, "x");
    put(own, "x");
    cr_assert(link(others, hard) == 0 && symlink(others, link_path) == 0);
    cr_expect(file_give(own, 65534, 65533) == 0 && lstat(own, &state) == 0 && state.st_uid == 65534);
    cr_expect(file_give(link_path, 65534, 65533) == 0 && lstat(link_path, &state) == 0 &&
              state.st_uid == 65534);
    errno = 0;
    cr_expect(file_give(hard, 65534, 65533) == -1 && errno == EPERM);
    cr_expect(lstat(others, &state) == 0 && state.st_uid == 0, "a file elsewhere was given away");
}

/* Behind sudo a project is its user's, whoever's process writes. */
Test(base_file, what_root_makes_in_somebodys_folder_is_theirs)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    char folder[] = "/tmp/triphase-file.XXXXXX";
    struct stat state;
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chown(folder, 65534, 65533), 0);
    AUTO_FREE char *deep = file_join(folder, "a/b"), *replaced = file_join(folder, "a/replaced"),
                   *created = file_join(folder, "a/created"), *above = file_join(folder, "a");
    cr_assert_eq(file_make_dirs(deep, 0700, NULL), 0);
    cr_assert_eq(file_replace(replaced, "x", 1, 0600, NULL), 0);
    AUTO_CLOSE int fd = file_create(created, O_WRONLY, 0600);
    cr_assert_geq(fd, 0);
    const char *const paths[] = {above, deep, replaced, created};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        cr_expect(lstat(paths[i], &state) == 0 && state.st_uid == 65534 && state.st_gid == 65533,
                  "%s is %d's", paths[i], (int)state.st_uid);

    /* What other programs made there as root; but nothing that a link leads to. */
    AUTO_FREE char *strange = file_join(folder, "a/b/strange"), *link_path = file_join(folder, "a/b/link"),
                   *outside = xasprintf("%s.outside", folder), *hard = file_join(folder, "a/b/hard");
    cr_assert_eq(file_replace(outside, "x", 1, 0600, NULL), 0);
    cr_assert_eq(file_replace(strange, "x", 1, 0600, NULL), 0);
    cr_assert_eq(chown(strange, 0, 0), 0);
    cr_assert_eq(symlink(outside, link_path), 0);
    cr_assert_eq(link(outside, hard), 0);
    file_give_tree(above);
    cr_expect(lstat(strange, &state) == 0 && state.st_uid == 65534);
    cr_expect(lstat(link_path, &state) == 0 && state.st_uid == 65534);
    cr_expect(lstat(outside, &state) == 0 && state.st_uid == 0, "a file elsewhere was given away");
    cr_assert_eq(file_remove_tree(folder, NULL), 0);
    unlink(outside);
}

Test(base_file, an_errno_says_what_it_means_to_a_user)
{
    static const struct {
        int number;
        const char *says;
    } cases[] = {{EACCES, "closed to this user"}, {EROFS, "nothing can be written there"},
                 {ENOSPC, "the disk is full"},    {EDQUOT, "share of the disk"},
                 {EMFILE, "ulimit -n"},           {EIO, "dmesg"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_ERROR err = ERROR_INIT;
        error_system(&err, cases[i].number, "cannot write %s", "/x");
        cr_expect(text_starts(error_text(&err), "cannot write /x: ") &&
                      strstr(error_text(&err), cases[i].says),
                  "%s", error_text(&err));
    }
    AUTO_ERROR err = ERROR_INIT;
    error_system(&err, ENOENT, "cannot open /x");
    cr_expect_str_eq(error_text(&err), "cannot open /x: No such file or directory");
}

Test(base_file, what_cannot_be_seen_is_not_absent)
{
    AUTO_FREE char *inside = hostile_path("closed/x"), *closed = hostile_path("closed");
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(file_look(closed, &err), 0);
    cr_assert_eq(mkdir(closed, 0700), 0);
    cr_expect_eq(file_look(closed, &err), 1);
    cr_expect_eq(file_look(inside, &err), 0);
    cr_assert_eq(chmod(closed, 0), 0);
    if (geteuid() == 0)
        cr_assert_eq(seteuid(65534), 0);
    cr_expect_eq(file_look(inside, &err), -1);
    cr_expect(strstr(error_text(&err), "Permission denied"), "%s", error_text(&err));
    cr_assert_eq(seteuid(getuid()), 0);
}
