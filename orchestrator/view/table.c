#include "view/table.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"

#include <langinfo.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { GAP = 2, BAR_LEAST = 6, BAR_MOST = 24 };

struct cell {
    char *text; /* printable */
    double share;
    enum table_style style;
};

struct table {
    const struct table_column *columns;
    size_t width; /* number of columns */
    struct cell *cells;
    size_t count, room;
};

struct table *table_new(const struct table_column *columns, size_t count)
{
    struct table *table = xcalloc(1, sizeof *table);
    table->columns = columns;
    table->width = count;
    return table;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
}

void table_cleanup(struct table **table)
{
    table_free(*table);
}

static struct cell *add_cell(struct table *table)
{
    if (table->count == table->room) {
        table->room = table->room ? table->room * 2 : 64;
        table->cells = xreallocarray(table->cells, table->room, sizeof *table->cells);
    }
    struct cell *cell = &table->cells[table->count++];
    *cell = (struct cell){.share = -1};
    return cell;
}

void table_add(struct table *table, const char *text, enum table_style style)
{
    AUTO_TEXT printable = TEXT_INIT;
    if (text)
        text_add_printable(&printable, text, strlen(text));
    struct cell *cell = add_cell(table);
    cell->text = text_take(&printable);
    cell->style = style;
}

void table_addf(struct table *table, enum table_style style, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = xvasprintf(format, args);
    va_end(args);
    table_add(table, text, style);
}

void table_add_share(struct table *table, double share)
{
    struct cell *cell = add_cell(table);
    cell->text = xstrdup("");
    cell->share = share > 1 ? 1 : share;
}

/* Bytes of the next character and the cells it takes. Where the locale cannot read UTF-8, each character
 * counts one: it is shown as ?. */
static size_t next_character(const char *at, size_t left, int *cells)
{
    wchar_t wide;
    mbstate_t state = {0};
    if (*at >= ' ' && *at <= '~') { /* nearly all there is */
        *cells = 1;
        return 1;
    }
    size_t length = mbrtowc(&wide, at, left, &state);
    if (length == 0 || length == (size_t)-1 || length == (size_t)-2) {
        *cells = ((unsigned char)*at & 0xc0) != 0x80;
        return 1;
    }
    int width = wcwidth(wide);
    *cells = width < 0 ? 0 : width;
    return length;
}

int table_cells(const char *text)
{
    int sum = 0, cells;
    for (size_t left = strlen(text); left;) {
        size_t length = next_character(text, left, &cells);
        sum += cells;
        text += length;
        left -= length;
    }
    return sum;
}

void table_wrapped(struct text *out, const struct table_look *look, int indent, const char *words)
{
    int at = indent;
    for (const char *word = words; *word;) {
        size_t length = strcspn(word, " ");
        AUTO_FREE char *one = xstrndup(word, length);
        int cells = table_cells(one);
        if (at > indent && look->width && at + 1 + cells > look->width) {
            text_addf(out, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            text_add_char(out, ' ');
            at++;
        }
        text_add(out, one);
        at += cells;
        word += length + strspn(word + length, " ");
    }
}

static const char *colour_of(enum table_style style)
{
    static const char *const codes[] = {
        [TABLE_PLAIN] = "",        [TABLE_GOOD] = "\033[32m", [TABLE_BAD] = "\033[1;31m",
        [TABLE_WARN] = "\033[33m", [TABLE_DIM] = "\033[2m",   [TABLE_BOLD] = "\033[1m",
    };
    return codes[style];
}

void table_styled(struct text *out, const struct table_look *look, enum table_style style, const char *text)
{
    bool colour = look->colour && style != TABLE_PLAIN && *text;
    if (colour)
        text_add(out, colour_of(style));
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (look->utf8 || c < 0x80)
            text_add_char(out, (char)c);
        else if ((c & 0xc0) != 0x80)
            text_add_char(out, '?');
    }
    if (colour)
        text_add(out, "\033[0m");
}

void table_printable(struct text *out, const struct table_look *look, enum table_style style,
                     const char *text)
{
    AUTO_TEXT printable = TEXT_INIT;
    text_add_printable(&printable, text, strlen(text));
    table_styled(out, look, style, text_string(&printable));
}

/* As much of the string, or of its end, as fits, with an ellipsis where something is left out. */
static char *cut(const char *text, int cells, bool utf8, bool end)
{
    AUTO_TEXT out = TEXT_INIT;
    int used = 0, width;
    if (table_cells(text) <= cells)
        return xstrdup(text);
    while (end && table_cells(text) > cells - 1)
        text += next_character(text, strlen(text), &width);
    if (end)
        return xasprintf("%s%s", utf8 ? "…" : "~", text);
    for (size_t left = strlen(text), length; left; text += length, left -= length) {
        length = next_character(text, left, &width);
        if (used + width > cells - 1)
            break;
        text_add_bytes(&out, text, length);
        used += width;
    }
    text_add(&out, utf8 ? "…" : "~");
    return text_take(&out);
}

static void add_bar(struct text *out, double share, int cells, bool utf8)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int units = (int)(share * cells * (utf8 ? 8 : 1) + 0.5);
    if (share > 0 && units == 0)
        units = 1;
    int whole = utf8 ? units / 8 : units;
    int filled = whole + (utf8 && units % 8 ? 1 : 0);
    for (int i = 0; i < whole; i++)
        text_add(out, utf8 ? "█" : "#");
    if (utf8)
        text_add(out, eighths[units % 8]);
    for (int i = filled; i < cells; i++)
        text_add_char(out, ' ');
}

struct layout {
    int *cells; /* of each column; 0: dropped */
    int total;
};

static int sum_of(const struct table *table, const int *cells)
{
    int sum = 0;
    for (size_t i = 0; i < table->width; i++)
        if (cells[i])
            sum += cells[i] + (sum ? GAP : 0);
    return sum;
}

/* Natural widths first; then bars give way, texts are cut, columns go, and at last bars take what is left. */
static void lay_out(const struct table *table, int width, int *cells)
{
    for (size_t i = 0; i < table->width; i++) {
        const struct table_column *column = &table->columns[i];
        cells[i] = column->bar ? BAR_LEAST : table_cells(column->title);
        for (size_t at = i; at < table->count && !column->bar; at += table->width) {
            int wanted = table_cells(table->cells[at].text);
            cells[i] = wanted > cells[i] ? wanted : cells[i];
        }
        if (!cells[i])
            cells[i] = 1;
    }
    int over = width ? sum_of(table, cells) - width : 0;
    for (size_t i = 0; i < table->width && over > 0; i++) {
        int least = table->columns[i].shrinks;
        if (!least || cells[i] <= least)
            continue;
        int give = cells[i] - least < over ? cells[i] - least : over;
        cells[i] -= give;
        over -= give;
    }
    for (int drop = 1; over > 0 && drop < 16; drop++)
        for (size_t i = 0; i < table->width; i++)
            if (table->columns[i].drop == drop && over > 0) {
                over -= cells[i] + GAP;
                cells[i] = 0;
            }
    for (size_t i = 0; i < table->width && over <= 0; i++)
        if (table->columns[i].bar) {
            int more = width ? width - sum_of(table, cells) : BAR_MOST - BAR_LEAST;
            cells[i] += more > BAR_MOST - BAR_LEAST ? BAR_MOST - BAR_LEAST : more;
        }
}

int table_width(const struct table *table)
{
    AUTO_FREE int *cells = xcalloc(table->width, sizeof *cells);
    lay_out(table, 0, cells);
    return sum_of(table, cells);
}

static void pad(struct text *out, int count)
{
    for (; count > 0; count--)
        text_add_char(out, ' ');
}

static void write_cell(struct text *line, const struct table_look *look, const struct table_column *column,
                       const struct cell *cell, int cells)
{
    if (cell->share >= 0) {
        AUTO_TEXT bar = TEXT_INIT;
        add_bar(&bar, cell->share, cells, look->utf8);
        table_styled(line, look, TABLE_PLAIN, text_string(&bar));
        return;
    }
    AUTO_FREE char *shown = cut(cell->text, cells, look->utf8, column->end);
    int empty = cells - table_cells(shown);
    if (column->right)
        pad(line, empty);
    table_styled(line, look, cell->style, shown);
    if (!column->right)
        pad(line, empty);
}

static void write_row(const struct table *table, const struct table_look *look, const int *cells,
                      const struct cell *row, struct text *out)
{
    AUTO_TEXT line = TEXT_INIT;
    for (size_t i = 0; i < table->width; i++) {
        if (!cells[i])
            continue;
        pad(&line, line.length ? GAP : 0);
        write_cell(&line, look, &table->columns[i], &row[i], cells[i]);
    }
    while (line.length && line.bytes[line.length - 1] == ' ')
        text_truncate(&line, line.length - 1);
    text_add(out, text_string(&line));
    text_add_char(out, '\n');
}

static void add_markdown(struct text *out, const char *text)
{
    text_add(out, " ");
    for (; *text; text++) {
        if (strchr("|\\`*_<>[]", *text))
            text_add_char(out, '\\');
        text_add_char(out, *text);
    }
    text_add(out, " |");
}

static void write_markdown(const struct table *table, struct text *out)
{
    text_add(out, "|");
    for (size_t i = 0; i < table->width; i++)
        if (!table->columns[i].bar)
            add_markdown(out, table->columns[i].title);
    text_add(out, "\n|");
    for (size_t i = 0; i < table->width; i++)
        if (!table->columns[i].bar)
            text_add(out, table->columns[i].right ? "---:|" : "---|");
    text_add(out, "\n");
    for (size_t at = 0; at + table->width <= table->count; at += table->width) {
        text_add(out, "|");
        for (size_t i = 0; i < table->width; i++)
            if (!table->columns[i].bar)
                add_markdown(out, table->cells[at + i].text);
        text_add(out, "\n");
    }
}

void table_write(const struct table *table, const struct table_look *look, struct text *out)
{
    if (look->markdown) {
        write_markdown(table, out);
        return;
    }
    AUTO_FREE int *cells = xcalloc(table->width, sizeof *cells);
    AUTO_FREE struct cell *titles = xcalloc(table->width, sizeof *titles);
    lay_out(table, look->width, cells);
    for (size_t i = 0; i < table->width; i++)
        titles[i] = (struct cell){.text = (char *)(uintptr_t)table->columns[i].title,
                                  .share = -1,
                                  .style = TABLE_DIM};
    write_row(table, look, cells, titles, out);
    for (size_t at = 0; at + table->width <= table->count; at += table->width)
        write_row(table, look, cells, &table->cells[at], out);
}

static void add_csv(struct text *out, const char *text, bool first)
{
    if (!first)
        text_add_char(out, ',');
    if (!strpbrk(text, ",\"\n\r")) {
        text_add(out, text);
        return;
    }
    text_add_char(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            text_add_char(out, '"');
        text_add_char(out, *text);
    }
    text_add_char(out, '"');
}

static void add_csv_row(const struct table *table, const struct cell *row, struct text *out)
{
    bool first = true;
    for (size_t i = 0; i < table->width; i++)
        if (!table->columns[i].bar) {
            add_csv(out, row ? row[i].text : table->columns[i].title, first);
            first = false;
        }
    text_add_char(out, '\n');
}

void table_write_csv(const struct table *table, struct text *out)
{
    add_csv_row(table, NULL, out);
    for (size_t at = 0; at + table->width <= table->count; at += table->width)
        add_csv_row(table, &table->cells[at], out);
}

struct table_look table_look_of(int fd)
{
    struct table_look look = {.width = 100};
    struct winsize size;
    const char *columns = getenv("COLUMNS"), *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
    bool tty = isatty(fd);
    if (tty && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        look.width = size.ws_col;
    else
        (void)number_parse_int(columns, 20, 10000, &look.width, NULL);
    look.colour = tty && !(none && *none) && terminal && !text_is(terminal, "dumb");
    look.utf8 = text_is(nl_langinfo(CODESET), "UTF-8");
    return look;
}

int table_print(const struct text *text)
{
    return fflush(stdout) == 0 && file_write_all(STDOUT_FILENO, text_string(text), text->length) == 0 ? 0
                                                                                                      : -1;
}
