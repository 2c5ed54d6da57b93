#include "figures/health.h"

#include "base/memory.h"

static const struct history_step *step_at(const struct history_step *steps, size_t count, int64_t at_ns)
{
    const struct history_step *step = NULL;
    for (size_t i = 0; i < count && steps[i].started_ns <= at_ns; i++)
        step = &steps[i];
    return step;
}

static enum health_state state_of(const struct health_account *account, const struct history_health *sample)
{
    if (sample->healthy)
        return HEALTH_HEALTHY;
    return account->first_healthy_ns ? HEALTH_UNHEALTHY : HEALTH_NOT_YET;
}

static void begin(struct health_account *account, const struct history_health *sample,
                  enum health_state state, const struct history_step *step)
{
    account->spans = xreallocarray(account->spans, account->count + 1, sizeof *account->spans);
    account->spans[account->count++] = (struct health_span){.state = state,
                                                            .from_ns = sample->at_ns,
                                                            .cause = sample->cause,
                                                            .causes = WORDS_INIT,
                                                            .message = sample->message,
                                                            .step = step};
    if (state == HEALTH_HEALTHY && !account->first_healthy_ns)
        account->first_healthy_ns = sample->at_ns;
}

static void add_cause(struct health_span *span, const struct history_health *sample)
{
    if (sample->cause && !words_have(&span->causes, sample->cause))
        words_add(&span->causes, sample->cause);
}

static void add_up(struct health_account *account)
{
    for (size_t i = 0; i < account->count; i++) {
        const struct health_span *span = &account->spans[i];
        int64_t length = span->to_ns - span->from_ns;
        if (span->state != HEALTH_UNHEALTHY)
            continue;
        account->windows++;
        if (__builtin_add_overflow(account->unhealthy_ns, length, &account->unhealthy_ns))
            account->unhealthy_ns = INT64_MAX; /* a merged store may say anything */
    }
}

void health_account_make(const struct history_health *samples, size_t count, const struct history_step *steps,
                         size_t step_count, struct health_account *out)
{
    *out = (struct health_account){.spans = NULL};
    for (size_t i = 0; i < count; i++) {
        enum health_state state = state_of(out, &samples[i]);
        struct health_span *last = out->count ? &out->spans[out->count - 1] : NULL;
        if (last)
            last->to_ns = samples[i].at_ns;
        if (!last || last->state != state)
            begin(out, &samples[i], state, step_at(steps, step_count, samples[i].at_ns));
        add_cause(&out->spans[out->count - 1], &samples[i]);
        out->via = samples[i].via;
    }
    if (out->count) {
        out->spans[out->count - 1].to_ns = samples[count - 1].at_ns;
        out->spans[out->count - 1].open = true;
    }
    add_up(out);
}

void health_account_clear(struct health_account *account)
{
    for (size_t i = 0; i < account->count; i++)
        words_clear(&account->spans[i].causes);
    free(account->spans);
    *account = (struct health_account){.spans = NULL};
}
