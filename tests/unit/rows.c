#include "unit/rows.h"

#include "base/moment.h"

struct event rows_run(enum event_kind kind, const char *id, int64_t started_ns)
{
    return (struct event){.kind = kind,
                          .run = id,
                          .of_run = {.id = id,
                                     .kind = "create",
                                     .target = "vault",
                                     .recipe = "vault",
                                     .provider = "sandbox",
                                     .project = "test",
                                     .ansible = "2.19.14",
                                     .fresh = true,
                                     .pid = 1,
                                     .pid_start = 1,
                                     .boot_id = "another boot",
                                     .node = "here",
                                     .started_ns = started_ns,
                                     .duration_ns = 2 * NS_PER_S,
                                     .outcome = OUTCOME_OK}};
}

struct event rows_step(enum event_kind kind, const char *id, int seq)
{
    return (struct event){.kind = kind,
                          .run = id,
                          .step = seq,
                          .of_step = {.seq = seq,
                                      .kind = "phase",
                                      .name = "install",
                                      .attempt = 1,
                                      .transport = "direct",
                                      .scope = "cgroup",
                                      .log = "runs/r/01-install.1.log",
                                      .events = "runs/r/01-install.1.events.ndjson",
                                      .started_ns = 1700000000 * NS_PER_S,
                                      .deadline_ns = 1800 * NS_PER_S,
                                      .duration_ns = 1500 * NS_PER_MS,
                                      .outcome = OUTCOME_OK,
                                      .exit_code = 0,
                                      .signal = -1,
                                      .ok = 3,
                                      .changed = 1,
                                      .cpu_usec = -1,
                                      .survivors_host = -1,
                                      .host_evidence = "nobody looked"}};
}

struct event rows_task(const char *id, int step, const char *role, const char *task, const char *status)
{
    return (struct event){.kind = EVENT_TASK,
                          .run = id,
                          .step = step,
                          .task = {.host = "vault",
                                   .play = "P",
                                   .role = role,
                                   .task = task,
                                   .path = "p.yml:3",
                                   .action = "command",
                                   .status = status,
                                   .started_ns = 1700000001 * NS_PER_S,
                                   .duration_ns = 250 * NS_PER_MS}};
}
