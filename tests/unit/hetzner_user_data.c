/* What a new server's cloud-init is given: both parts, each of its type, and no more than the cloud takes;
 * and what the two scripts of the throw-away key do to a host's files. */
#include "folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"
#include "provider/hetzner_host_keys.h"
#include "provider/hetzner_user_data.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(hetzner_user_data, .timeout = 60, .init = folder_fill, .fini = folder_clean);

/* As ssh-keygen writes them. */
#define FIRST_KEY                                                              \
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"                                    \
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n" \
    "QyNTUxOQAAACBp+lJ4CkEXAMPLEonlyNOTaKEYofANYbodyATaLL0000000000/QAAAJhc\n" \
    "-----END OPENSSH PRIVATE KEY-----\n"
#define BODY_LINE "QyNTUxOQAAACBp+lJ4CkEXAMPLEonlyNOTaKEYofANYbodyATaLL0000000000/QAAAJhc"

static char *made_of(const char *first_key, const char *users)
{
    AUTO_ERROR err = ERROR_INIT;
    char *out = NULL;
    cr_assert_eq(hetzner_user_data_make(first_key, users, "first.yml", &out, &err), 0, "%s",
                 error_text(&err));
    return out;
}

/* "TYPE LENGTH, …" of the parts as Python's email, with which cloud-init reads it, tells them. malloc'ed. */
static char *parts_of(const char *message)
{
    static const char reader[] =
        "import email,sys\n"
        "m=email.message_from_bytes(sys.stdin.buffer.read())\n"
        "print(', '.join(f'{p.get_content_type()} {len(p.get_payload(decode=True))}' for p in m.walk() if "
        "not p.is_multipart()), end='')";
    const char *const argv[] = {"python3", "-c", reader, NULL};
    const struct program program = {.argv = argv, .input = message, .bound_ns = 20 * NS_PER_S};
    struct text out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(program_do_all(&program, &out, &err), 0, "%s", error_text(&err));
    return text_take(&out);
}

Test(hetzner_user_data, each_content_has_its_type_and_comes_behind_triphases_part)
{
    static const struct {
        const char *users, *type;
    } all[] = {
        {"#cloud-config\npackages: [a]\n", "text/cloud-config 28"},
        {"#!/bin/sh\ntrue\n", "text/x-shellscript 15"},
        {"#include\nhttps://example.com/x\n", "text/x-include-url 31"},
        {"#include-once\nhttps://example.com/x\n", "text/x-include-once-url 36"},
        {"## template: jinja\n#cloud-config\n", "text/jinja2 33"},
        {"#cloud-boothook\ntrue\n", "text/cloud-boothook 21"},
        {"#cloud-config-archive\n- x\n", "text/cloud-config-archive 26"},
        {"#part-handler\n", "text/part-handler 14"},
        {"#cloud-config\nname: caf\xc3\xa9 triphase-part-0\n", "text/cloud-config 42"},
        {"Content-Type: multipart/mixed; boundary=\"x\"\nMIME-Version: 1.0\n\n--x\nContent-Type: "
         "text/cloud-config\n\n#cloud-config\n--x--\n",
         "text/cloud-config 13"},
    };
    AUTO_FREE char *alone = made_of(FIRST_KEY, NULL), *ours = parts_of(alone);
    cr_assert(text_starts(ours, "text/cloud-boothook "), "%s", ours);
    cr_assert_null(strchr(ours, ','));
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_FREE char *made = made_of(FIRST_KEY, all[i].users), *parts = parts_of(made);
        AUTO_FREE char *wanted = xasprintf("%s, %s", ours, all[i].type);
        cr_assert_str_eq(parts, wanted);
    }
}

Test(hetzner_user_data, where_the_host_keys_are_known_the_users_file_goes_alone)
{
    AUTO_FREE char *made = made_of(NULL, "{\"ignition\": {}}"), *none = made_of(NULL, NULL);
    cr_assert_str_eq(made, "{\"ignition\": {}}");
    cr_assert_null(none);
}

static char *refusal(const char *first_key, const char *users)
{
    struct error err = ERROR_INIT;
    char *out = NULL;
    cr_assert_eq(hetzner_user_data_make(first_key, users, "first.yml", &out, &err), -1);
    cr_assert_eq(err.kind, ERROR_PROJECT);
    return err.message;
}

Test(hetzner_user_data, what_is_no_cloud_init_needs_host_keys_that_are_given)
{
    AUTO_FREE char *said = refusal(FIRST_KEY, "{\"ignition\": {}}"), *bytes = refusal(NULL, "#!\xff");
    cr_has(said, "first.yml begins with no line that cloud-init knows");
    cr_has(said, "give them with host_keys");
    cr_has(bytes, "is not UTF-8 text");
}

Test(hetzner_user_data, both_parts_together_have_32_kib_and_not_a_byte_more)
{
    AUTO_FREE char *small = made_of(FIRST_KEY, "#!/bin/sh\n");
    size_t room = HETZNER_USER_DATA_MOST - strlen(small);
    AUTO_FREE char *most = xasprintf("#!/bin/sh%*s\n", (int)room, ""),
                   *more = xasprintf("#!/bin/sh%*s\n", (int)room + 1, "");
    AUTO_FREE char *made = made_of(FIRST_KEY, most), *said = refusal(FIRST_KEY, more);
    cr_assert_eq(strlen(made), HETZNER_USER_DATA_MOST);
    cr_has(said, "has 32769 bytes with triphase's part, and the cloud takes 32768");
}

/* ---- the scripts, on a host whose files lie in the test's folder ---- */

/* With every path of the host below the folder. malloc'ed. */
static char *here(const char *script)
{
    static const char *const places[] = {"/etc/ssh", "/var/lib/cloud", "/run/cloud-init"};
    struct text out = TEXT_INIT;
    for (const char *at = script; *at;) {
        size_t length = 0;
        for (size_t i = 0; i < COUNT_OF(places); i++)
            if (text_starts(at, places[i]))
                length = strlen(places[i]);
        if (length)
            text_add(&out, folder());
        text_add_bytes(&out, at, length ? length : 1);
        at += length ? length : 1;
    }
    return text_take(&out);
}

/* Its exit code and what it says. */
static int run(const char *script, struct text *out)
{
    AUTO_FREE char *local = here(script), *bin = folder_path("bin");
    AUTO_FREE char *path = xasprintf("PATH=%s:" FILE_USUAL_PATH, bin);
    const char *const argv[] = {"sh", "-c", local, NULL}, *const environment[] = {path, NULL};
    const struct program program = {.argv = argv, .environment = environment, .bound_ns = 20 * NS_PER_S};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end;
    cr_assert_eq(program_run(&program, out, &said, &end, &err), 0, "%s", error_text(&err));
    cr_assert(end.code == 0 || end.code == 75, "%d: %s", end.code, text_string(&said));
    return end.code;
}

static char *content(const char *path)
{
    AUTO_FREE char *at = folder_path(path);
    struct text out = TEXT_INIT;
    return file_exists(at) && file_read(at, 1 << 20, &out, NULL) == 0 ? text_take(&out) : NULL;
}

static void lay_down_host(bool drop_ins)
{
    AUTO_FREE char *systemctl = folder_path("bin/systemctl"), *log = folder_path("systemctl.log");
    AUTO_FREE char *program = xasprintf("#!/bin/sh\necho \"$@\" >>%s\n", log);
    folder_write("bin/systemctl", program);
    cr_assert_eq(program_do(NS_PER_S, NULL, NULL, "chmod", "755", systemctl, NULL), 0);
    folder_write("etc/ssh/sshd_config", "# sshd\nPort 22\n");
    folder_write("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIown root@host\n");
    folder_write("etc/ssh/ssh_host_rsa_key.pub", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQown root@host\n");
    folder_write("var/lib/cloud/instance/x", "");
    folder_write("run/cloud-init/status.json", "{\n \"v1\": {\n  \"stage\": \"modules-config\"\n }\n}\n");
    if (drop_ins)
        folder_write("etc/ssh/sshd_config.d/50-cloud-init.conf", "");
}

static char *hook(void)
{
    AUTO_FREE char *message = made_of(FIRST_KEY, NULL);
    const char *begin = strstr(message, "#!/bin/sh"), *end = strstr(begin, "\n--triphase-part");
    return xstrndup(begin, (size_t)(end - begin));
}

Test(hetzner_user_data, the_throw_away_key_is_put_in_place_once_and_taken_away_without_a_trace)
{
    for (int drop_ins = 0; drop_ins < 2; drop_ins++) {
        AUTO_TEXT out = TEXT_INIT, again = TEXT_INIT;
        AUTO_WORDS keys = WORDS_INIT;
        folder_clean();
        folder_fill();
        lay_down_host(drop_ins);
        AUTO_FREE char *put = hook();
        folder_write("var/lib/cloud/instances/i-1/user-data.txt", FIRST_KEY "untouched\n");
        folder_write("var/lib/cloud/instances/i-1/obj.pkl", "\x80pickle" FIRST_KEY "end");

        cr_assert_eq(run(put, NULL), 0);
        AUTO_FREE char *key = content("etc/ssh/triphase_host_key"), *config = content("etc/ssh/sshd_config"),
                       *setting = content("etc/ssh/sshd_config.d/00-triphase.conf");
        AUTO_FREE char *named = here("HostKey " HETZNER_FIRST_KEY "\n");
        cr_assert_str_eq(key, FIRST_KEY);
        cr_has(drop_ins ? setting : config, named);
        cr_assert_eq(run(hetzner_user_data_collect, &out), 0);
        hetzner_host_keys_read(text_string(&out), &keys);

        AUTO_FREE char *all = words_join(&keys, ", "), *gone = content("etc/ssh/triphase_host_key"),
                       *config_now = content("etc/ssh/sshd_config"),
                       *setting_now = content("etc/ssh/sshd_config.d/00-triphase.conf"),
                       *copy = content("var/lib/cloud/instances/i-1/user-data.txt"),
                       *pickle = content("var/lib/cloud/instances/i-1/obj.pkl"),
                       *asked = content("systemctl.log");
        cr_assert_str_eq(all, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIown, ssh-rsa "
                              "AAAAB3NzaC1yc2EAAAADAQABAAABgQown");
        cr_assert_null(gone);
        cr_assert_null(setting_now);
        cr_assert_str_eq(config_now, "# sshd\nPort 22\n");
        cr_has_not(copy, BODY_LINE);
        cr_has(copy, "untouched");
        cr_assert_eq(strlen(copy), strlen(FIRST_KEY "untouched\n"), "lengths stay");
        cr_has_not(pickle, BODY_LINE);
        cr_has(asked, "reload ssh.service");

        /* At the next boot nothing comes back; asked again the host says the same. */
        cr_assert_eq(run(put, NULL), 0);
        AUTO_FREE char *back = content("etc/ssh/triphase_host_key");
        cr_assert_null(back);
        cr_assert_eq(run(hetzner_user_data_collect, &again), 0);
        cr_assert_str_eq(text_string(&again), text_string(&out));
    }
}

Test(hetzner_user_data, while_cloud_init_may_make_the_hosts_keys_anew_they_are_not_read)
{
    AUTO_TEXT out = TEXT_INIT;
    lay_down_host(true);
    folder_write("run/cloud-init/status.json", "{\n \"v1\": {\n  \"stage\": \"init\"\n }\n}\n");
    cr_assert_eq(run(hetzner_user_data_collect, &out), 75);
    cr_assert_eq(out.length, 0);
}

Test(hetzner_user_data, of_what_a_host_says_only_public_keys_are_taken_and_each_once)
{
    AUTO_WORDS keys = WORDS_INIT;
    hetzner_host_keys_read("Welcome!\r\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA a b\nssh-ed25519\n"
                           "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA\nssh-rsa short\n@revoked x y\n\n"
                           "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY= z",
                           &keys);
    AUTO_FREE char *all = words_join(&keys, "|");
    cr_assert_str_eq(all, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA|ecdsa-sha2-nistp256 "
                          "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=");
}
