#include "process/program.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "process/sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A grandchild may hold a pipe for ever; what it has to say after the program ended is not
 * waited for longer than this. */
#define DRAIN (100 * NS_PER_MS)
/* How long a killed process may take to be gone. */
#define REAP_BOUND (5 * NS_PER_S)

enum { DEFAULT_LIMIT = 1 << 20, BLOCK = 65536, ASK_MS = 50 };

/* One output pipe on its way into a text. */
struct intake {
    int fd;
    size_t limit;
    int echo;                      /* 0: none */
    const struct program *cleaner; /* through whose `clean` it goes; NULL: as it is */
    struct text text;
};

static void intake_close(struct intake *intake)
{
    fd_close(&intake->fd);
    text_clear(&intake->text);
}

#define AUTO_INTAKE __attribute__((cleanup(intake_close))) struct intake

/* Keeps what fits. */
static void intake_take(struct intake *intake, const char *bytes, size_t length)
{
    size_t room = intake->limit - intake->text.length;
    if (intake->echo && length)
        (void)file_write_all(intake->echo, bytes, length);
    text_add_bytes(&intake->text, bytes, length < room ? length : room);
}

static void intake_clean(struct intake *intake, const char *bytes, size_t length, bool last)
{
    AUTO_TEXT clean = TEXT_INIT;
    const struct program *program = intake->cleaner;
    program->clean(program->context, bytes, length, last, &clean);
    intake_take(intake, text_string(&clean), clean.length);
}

/* One read. */
static void intake_read(struct intake *intake)
{
    char block[BLOCK];
    ssize_t got = read(intake->fd, block, sizeof block);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        fd_close(&intake->fd);
        return;
    }
    if (intake->cleaner)
        intake_clean(intake, block, (size_t)got, false);
    else
        intake_take(intake, block, (size_t)got);
}

/* Pipe whose reading end is the intake's, its writing end returned. */
static int intake_open(struct intake *intake)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    intake->fd = ends[0];
    return ends[1];
}

static char *command_text(const struct program *program)
{
    enum { LONGEST = 120 };
    AUTO_TEXT words = TEXT_INIT;
    const char *const *argv = program->argv;
    for (; *argv && words.length <= LONGEST && !(program->tells_secrets && words.length); argv++) {
        if (words.length)
            text_add_char(&words, ' ');
        text_add_printable(&words, *argv, strlen(*argv));
    }
    if (words.length > LONGEST) {
        text_truncate(&words, LONGEST);
        text_add(&words, "…");
    }
    return text_take(&words);
}

char *program_last_words(const struct text *text)
{
    enum { LONGEST = 300 };
    const char *bytes = text_string(text);
    size_t end = text->length;
    while (end && strchr("\r\n \t", bytes[end - 1]))
        end--;
    size_t begin = end;
    while (begin && bytes[begin - 1] != '\n' && end - begin < LONGEST)
        begin--;
    AUTO_TEXT out = TEXT_INIT;
    if (end > begin) {
        text_add(&out, ": ");
        text_add_printable(&out, bytes + begin, end - begin);
    }
    return text_take(&out);
}

/* Reads both pipes until the program has ended and both are closed, the drain is over, the bound is reached
 * or it shall not go on. 1 ended, 0 it did not, -1 failed. */
static int read_to_end(const struct program *program, struct child *child, struct intake *out,
                       struct intake *error_out, struct child_end *end, struct error *err)
{
    struct deadline deadline = deadline_in(program->bound_ns);
    bool ended = false;
    while (!ended || out->fd >= 0 || error_out->fd >= 0) {
        struct pollfd look[] = {
            {.fd = out->fd, .events = POLLIN},
            {.fd = error_out->fd, .events = POLLIN},
            {.fd = ended ? -1 : child->pidfd, .events = POLLIN},
        };
        /* A flood never lets poll time out, so the clock is asked each time. */
        bool over = deadline_over(deadline);
        int ready =
            deadline_poll(look, COUNT_OF(look),
                          program->goes_on ? deadline_earlier(deadline, deadline_in(ASK_MS * NS_PER_MS))
                                           : deadline);
        if (ready < 0)
            return error_system(err, errno, "cannot wait for process %d", (int)child->pid);
        if (ready > 0 && look[0].revents)
            intake_read(out);
        if (ready > 0 && look[1].revents)
            intake_read(error_out);
        if (ready > 0 && look[2].revents) {
            int done = child_poll(child, end, err);
            if (done < 0)
                return -1;
            if (done) {
                ended = true;
                deadline = deadline_in(DRAIN);
            }
        }
        if (over || (!ended && program->goes_on && !program->goes_on(program->context, &out->text)))
            return ended;
    }
    return 1;
}

static char *words_of_failure(const struct program *program, const struct intake *out,
                              const struct intake *error_out)
{
    bool of_errors = error_out->text.length || program->tells_secrets;
    return program_last_words(of_errors ? &error_out->text : &out->text);
}

/* Ends the program's own session and reaps it. Its pid cannot be another's: it was not reaped yet. */
static void kill_group(struct child *child)
{
    kill(-child->pid, SIGKILL);
    child_signal(child, SIGKILL);
    child_await(child, REAP_BOUND);
}

/* program_run, but the output is handed out on failure too: for messages. */
static int run(const struct program *program, struct intake *out, struct intake *error_out,
               struct child_end *end, struct error *err)
{
    AUTO_FREE char *command = command_text(program);
    AUTO_CLOSE int out_in = intake_open(out);
    AUTO_CLOSE int error_in = out_in < 0 ? -1 : intake_open(error_out);
    if (out_in < 0 || error_in < 0)
        return error_system(err, errno, "cannot prepare %s", command);
    /* No pipe: nothing has to be fed, and a program that does not read it stalls nobody. */
    AUTO_CLOSE int input =
        program->input ? sealed_file("triphase-input", program->input, strlen(program->input), err) : -1;
    if (program->input && input < 0)
        return error_prefix(err, "%s", command);

    struct child_plan plan = {
        .argv = program->argv,
        .environment = program->environment,
        .directory = program->directory,
        .in = input,
        .out = out_in,
        .error = error_in,
        .keep = program->keep,
        .scope = program->scope,
        /* Whoever waits for it blocks here; when that one is gone nobody bounds it. */
        .die_with_parent = true,
    };
    struct child child = CHILD_INIT;
    if (child_start(&plan, &child, err) < 0)
        return -1;
    fd_close(&out_in);
    fd_close(&error_in);
    int done = read_to_end(program, &child, out, error_out, end, err);
    if (done <= 0)
        kill_group(&child);
    child_close(&child);
    if (error_out->cleaner)
        intake_clean(error_out, "", 0, true);
    if (done > 0 && end->exited)
        return 0;
    AUTO_FREE char *said = words_of_failure(program, out, error_out);
    if (done < 0)
        return error_prefix(err, "%s", command);
    if (done == 0) {
        AUTO_FREE char *bound = duration_show(program->bound_ns);
        return error_set(err, ERROR_DEADLINE, "%s did not end within %s and was killed%s", command, bound,
                         said);
    }
    AUTO_FREE char *how = child_end_text(end);
    return error_set(err, ERROR_SYSTEM, "%s %s%s", command, how, said);
}

static void give(struct text *to, const struct intake *from)
{
    if (to)
        text_add_bytes(to, text_string(&from->text), from->text.length);
}

static struct intake intake_for(const struct program *program, bool output)
{
    return (struct intake){.fd = -1,
                           .limit = program->output_limit ? program->output_limit : DEFAULT_LIMIT,
                           .echo = output && program->keeps_back_output ? 0 : program->echo,
                           .cleaner = !output && program->clean ? program : NULL,
                           .text = TEXT_INIT};
}

int program_run(const struct program *program, struct text *out, struct text *error_out,
                struct child_end *end, struct error *err)
{
    AUTO_INTAKE from_out = intake_for(program, true), from_error = intake_for(program, false);
    struct child_end how = {0};
    int result = run(program, &from_out, &from_error, &how, err);
    if (result == 0 || program->keeps_output) {
        give(out, &from_out);
        give(error_out, &from_error);
    }
    if (result < 0)
        return -1;
    if (end)
        *end = how;
    return 0;
}

int program_do_all(const struct program *program, struct text *out, struct error *err)
{
    AUTO_INTAKE from_out = intake_for(program, true), from_error = intake_for(program, false);
    struct child_end end = {0};
    if (run(program, &from_out, &from_error, &end, err) < 0)
        return -1;
    if (end.code != 0) {
        AUTO_FREE char *command = command_text(program);
        AUTO_FREE char *said = words_of_failure(program, &from_out, &from_error);
        return error_set(err, ERROR_SYSTEM, "%s exited with %d%s", command, end.code, said);
    }
    give(out, &from_out);
    return 0;
}

int program_do_argv(int64_t bound_ns, const char *const *argv, struct text *out, struct error *err)
{
    struct program program = {.argv = argv, .bound_ns = bound_ns};
    return program_do_all(&program, out, err);
}

int program_do(int64_t bound_ns, struct text *out, struct error *err, const char *name, ...)
{
    AUTO_WORDS argv = WORDS_INIT;
    words_add(&argv, name);
    va_list rest;
    va_start(rest, name);
    for (const char *word; (word = va_arg(rest, const char *));)
        words_add(&argv, word);
    va_end(rest);
    return program_do_argv(bound_ns, words_argv(&argv), out, err);
}
