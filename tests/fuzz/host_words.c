/* What a host says: the bytes are its answer to the look at what a step has left, or the log of a login to it
 * (ssh writes there what the server sends). The first byte says which, and of how many steps was asked. */
#include "base/memory.h"
#include "base/text.h"
#include "fuzz/hold.h"
#include "stage/sweep_answer.h"
#include "transport/login_log.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void hold_printable(const char *text, const char *what)
{
    AUTO_TEXT same = TEXT_INIT;
    text_add_printable(&same, text, strlen(text));
    hold(text_is_utf8(text, strlen(text)) && text_is(text_string(&same), text), what);
}

static void hold_look(const struct sweep_answer *answer, size_t index)
{
    const struct sweep_look_answer *look = &answer->looks[index];
    hold(look->answered, "an answer that is whole leaves no step out");
    hold(look->left >= 0 && look->left <= look->found && look->found <= SWEEP_COUNT_MOST,
         "no more is left than was found");
    hold(look->named >= 0 && look->named <= SWEEP_NAMED_MOST, "those that are named have room");
    for (int i = 0; i < look->named; i++)
        hold_printable(look->names[i], "the name of what is left is printable");
    AUTO_FREE char *evidence = sweep_answer_evidence(answer, index);
    hold_printable(evidence, "the evidence is printable");
}

static void read_answer(const char *bytes, size_t length, size_t looks)
{
    static struct sweep_answer answer;
    AUTO_ERROR err = ERROR_INIT;
    if (sweep_answer_read(bytes, length, "n1", looks, &answer, &err) < 0) {
        hold_printable(error_text(&err), "what is no answer is told printably");
        return;
    }
    hold(answer.whole && answer.look_count == looks, "an answer that is read is whole");
    hold(answer.id_count >= 0 && answer.id_count <= SWEEP_NAMED_MOST, "the jobs that are named have room");
    for (size_t i = 0; i < looks; i++)
        hold_look(&answer, i);
    for (int i = 0; i < answer.id_count; i++)
        hold_printable(answer.ids[i], "the name of a job is printable");
}

static void read_login(const char *bytes, size_t length)
{
    AUTO_LOGIN_LOG log = LOGIN_LOG_INIT;
    login_log_read(bytes, length, &log);
    hold_printable(text_string(&log.said), "what a login said is printable");
    hold_printable(text_string(&log.instead), "what stands in place of a version is printable");
    const char *const texts[] = {log.version, log.host_key};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i])
            hold_printable(texts[i], "what a server says it is, is printable");
    for (size_t i = 0; i < log.keys.count; i++)
        hold_printable(log.keys.items[i], "the name of a key is printable");
    hold_printable(login_rung_name(log.rung), "a rung has a name");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (!size)
        return 0;
    if (bytes[0] == 'L')
        read_login((const char *)bytes + 1, size - 1);
    else
        read_answer((const char *)bytes + 1, size - 1, bytes[0] % (SWEEP_LOOKS_MOST + 1));
    return 0;
}
