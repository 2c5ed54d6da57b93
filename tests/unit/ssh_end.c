/* How a connection of SSH ended, told from libssh's words: it has no codes for that. */
#include "net/ssh_end.h"

#include "base/memory.h"

#include <criterion/criterion.h>

Test(ssh_end, follows_from_the_librarys_words_and_from_how_far_it_came)
{
    static const struct {
        const char *words;
        enum ssh_rung rung;
        enum ssh_end end;
    } cases[] = {
        {"Connection reset by peer", SSH_RUNG_KEY_EXCHANGE, SSH_END_RESET},
        {"Writing packet: Broken pipe", SSH_RUNG_DONE, SSH_END_RESET},
        {"", SSH_RUNG_BANNER, SSH_END_CLOSED},
        {"Socket error: disconnected", SSH_RUNG_DONE, SSH_END_CLOSED},
        {"Received SSH_MSG_DISCONNECT: 2:Too many", SSH_RUNG_AUTH, SSH_END_CLOSED},
        {"Remote channel is closed", SSH_RUNG_DONE, SSH_END_CLOSED},
        {"Socket error: EOF", SSH_RUNG_BANNER, SSH_END_CLOSED},
        {"Protocol mismatch: HTTP/1.1 400", SSH_RUNG_BANNER, SSH_END_PROTOCOL},
        {"kex error : no match", SSH_RUNG_KEY_EXCHANGE, SSH_END_PROTOCOL},
        {"anything else", SSH_RUNG_DONE, SSH_END_CLOSED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        cr_expect_eq(ssh_end_of_words(cases[i].words, cases[i].rung), cases[i].end, "%s", cases[i].words);
}

Test(ssh_end, each_has_its_name)
{
    cr_expect_str_eq(ssh_end_name(SSH_END_NONE), "");
    cr_expect_str_eq(ssh_end_name(SSH_END_PROTOCOL), "protocol");
    cr_expect_str_eq(ssh_rung_name(SSH_RUNG_BANNER), "banner");
    cr_expect_str_eq(ssh_rung_name(SSH_RUNG_DONE), "channel");
}
