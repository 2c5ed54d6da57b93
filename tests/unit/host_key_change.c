/* A host key that is not the known one is told in two lines, of which the second says what to do. */
#include "event/host_key_change.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

#define PARAGRAPH(name)                                                             \
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"               \
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n"               \
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"               \
    "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r\n"                     \
    "The fingerprint for the ED25519 key sent by the remote host is\r\n"            \
    "SHA256:onrEZPL1UORDBa501iZJPrlm1M1jUrarUwfZ4zymNuM.\r\n"                       \
    "Please contact your system administrator.\r\n"                                 \
    "Offending ED25519 key in /x/known_hosts:1\r\n"                                 \
    "Host key for " name " has changed and you have requested strict checking.\r\n" \
    "Host key verification failed.\r\n"

static size_t lines(const char *text)
{
    size_t count = 1;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

Test(host_key_change, a_changed_key_is_two_lines_with_its_fingerprint_and_the_command)
{
    AUTO_FREE char *told = host_key_change_text(PARAGRAPH("triphase-1"), "box", "triphase-1", true);
    cr_assert_not_null(told);
    cr_expect_eq(lines(told), 2, "%s", told);
    cr_expect(strstr(told, "the host key of box has changed: it shows ED25519 "
                           "SHA256:onrEZPL1UORDBa501iZJPrlm1M1jUrarUwfZ4zymNuM, and another is known\n"),
              "%s", told);
    cr_expect(strstr(told, "'triphase trust box'"), "%s", told);
}

Test(host_key_change, so_it_is_where_ssh_s_lines_were_joined)
{
    AUTO_TEXT joined = TEXT_INIT;
    for (const char *at = PARAGRAPH("triphase-1"); *at; at++)
        if (*at == '\n')
            text_add(&joined, "; ");
        else if (*at != '\r')
            text_add_char(&joined, *at);
    AUTO_FREE char *told = host_key_change_text(text_string(&joined), "box", "triphase-1", true);
    cr_assert_not_null(told);
    cr_expect(strstr(told, "ED25519 SHA256:onrEZPL1UORDBa501iZJPrlm1M1jUrarUwfZ4zymNuM, and"), "%s", told);
    cr_expect_eq(lines(told), 2, "%s", told);
}

#define REVOKED(name)                                                                   \
    "@       WARNING: REVOKED HOST KEY DETECTED!               @\r\n"                   \
    "The ED25519 host key for " name " is marked as revoked.\r\n"                       \
    "This could mean that a stolen key is being used to impersonate this host.\r\n"     \
    "ED25519 host key for " name " was revoked and you have requested strict checking." \
    "\r\nHost key verification failed.\r\n"

Test(host_key_change, a_key_that_is_revoked_is_two_lines_too)
{
    AUTO_FREE char *own = host_key_change_text(REVOKED("triphase-1"), "box", "triphase-1", true);
    AUTO_FREE char *other = host_key_change_text(REVOKED("bastion"), "box", "triphase-1", true);
    cr_assert(own && other);
    cr_expect_eq(lines(own), 2, "%s", own);
    cr_expect(strstr(own, "the host key of box is revoked") && strstr(own, "'triphase trust box'"), "%s",
              own);
    cr_expect_eq(lines(other), 2, "%s", other);
    cr_expect(strstr(other, "the host key of bastion, on the way to box, is revoked"), "%s", other);
    cr_expect(!strstr(other, "trust"), "%s", other);
}

Test(host_key_change, the_key_of_a_host_on_the_way_is_not_the_targets)
{
    AUTO_FREE char *told = host_key_change_text(PARAGRAPH("bastion"), "box", "triphase-1", true);
    cr_assert_not_null(told);
    cr_expect(strstr(told, "the host key of bastion, on the way to box, has changed"), "%s", told);
    cr_expect(strstr(told, "ssh-keygen -R bastion") && !strstr(told, "trust"), "%s", told);
}

Test(host_key_change, one_of_a_kind_that_is_not_known_is_told_too)
{
    static const char said[] =
        "No such file; No ED25519 host key is known for triphase-1 and you have requested "
        "strict checking.; Host key verification failed.";
    AUTO_FREE char *told = host_key_change_text(said, "box", "triphase-1", true);
    AUTO_FREE char *jump =
        host_key_change_text("No ED25519 host key is known for hop and you have requested strict checking.",
                             "box", "triphase-1", true);
    cr_assert(told && jump);
    cr_expect(strstr(told, "of a kind (ED25519) of which none is known\n'triphase trust box'"), "%s", told);
    cr_expect(strstr(jump, "no ED25519 host key of hop, on the way to box, is known"), "%s", jump);
}

/* A banner stands in the same text. */
Test(host_key_change, what_is_no_name_of_a_host_is_not_offered_in_a_command)
{
    static const char *const others[] = {
        PARAGRAPH("x;true"),  PARAGRAPH("-oX=y"),
        PARAGRAPH("$(true)"), PARAGRAPH(""),
        PARAGRAPH("a b"),     "No A;B host key is known for hop and you have requested strict checking."};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        AUTO_FREE char *told = host_key_change_text(others[i], "box", "triphase-1", true);
        cr_expect_null(told, "%s", told);
    }
    AUTO_FREE char *told = host_key_change_text(PARAGRAPH("[fe80::1%eth0]:2222"), "box", "triphase-1", true);
    cr_expect(told && strstr(told, "ssh-keygen -R [fe80::1%eth0]:2222'"), "%s", told);
}

/* What a server says as it ends a login stands in the same text, too. */
Test(host_key_change, where_nobody_is_on_the_way_no_other_hosts_key_is_offered_to_be_forgotten)
{
    static const char *const others[] = {
        PARAGRAPH("elsewhere.example"), REVOKED("elsewhere.example"),
        "No ED25519 host key is known for elsewhere.example and you have requested strict checking."};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        AUTO_FREE char *told = host_key_change_text(others[i], "box", "box.example", false);
        cr_expect_null(told, "%s", told);
    }
    AUTO_FREE char *own = host_key_change_text(PARAGRAPH("box.example"), "box", "Box.Example", false);
    cr_expect(own && strstr(own, "'triphase trust box'"), "%s", own);
}

Test(host_key_change, other_words_stay_as_they_are)
{
    static const char *const others[] = {"",
                                         "Permission denied (publickey).",
                                         "Host key verification failed.",
                                         "Host key for ",
                                         "No  host key is known for ",
                                         " host key is known for x"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        AUTO_FREE char *told = host_key_change_text(others[i], "box", "triphase-1", true);
        cr_expect_null(told, "'%s': %s", others[i], told);
    }
}
