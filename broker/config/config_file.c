/* SPDX-License-Identifier: MPL-2.0 */
/* The syntax of configuration files: ZPL (ZeroMQ RFC 4). zconfig parses single lines.
 *
 * zconfig's errors name no file, line or reason (and go to standard output). It reads beyond the end of a
 * line that is longer than 1,024 bytes, and takes quadratic time for long files. So this file checks each
 * line first, and then gives it to zconfig by itself. */
#include <czmq.h>
#include <errno.h>

#include "broker/config/config.h"
#include "broker/config/config_table.h"
#include "common/utf8.h"

enum {
    INDENT = 4, /* spaces for each level */
    LEVELS = 2, /* a section and its keys */
    PATH_SIZE = (LEVELS + 1) * (CONFIG_LINE_MAX + 1)
};

/* Some editors put it at the beginning of a UTF-8 file. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* State of reading one file. */
typedef struct reader {
    settings_t *settings;
    config_place_t place;
    zhashx_t *seen;         /* from the path of each key to its line number */
    unsigned depth;         /* the highest level that the next line may have */
    size_t lengths[LEVELS]; /* bytes of `path` up to each level */
    char path[PATH_SIZE];   /* section and key of the last line */
} reader_t;

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("$-_@.&+/", c) != NULL);
}

static const char *blanks_skip(const char *text)
{
    return text + strspn(text, " \t\r\v\f");
}

static bool rest_empty(const char *text)
{
    text = blanks_skip(text);
    return *text == '\0' || *text == '#';
}

/* Checks TEXT, which follows the equals sign: whether zconfig would accept it as a value. */
static bool value_check(const config_place_t *place, const char *text)
{
    text = blanks_skip(text);
    if (*text != '"' && *text != '\'')
        return true;
    const char *end = strchr(text + 1, *text);
    if (end == NULL)
        return config_fault(place, "a quote is not closed; end the value with %c", *text);
    if (!rest_empty(end + 1))
        return config_fault(place,
                            "text follows the closing quote; quote the whole value, or begin a comment "
                            "with #");
    return true;
}

/* Checks that TEXT (a line without its indentation) is `NAME`, `NAME = VALUE` or `NAME = "VALUE"`, with or
 * without a comment. Sets *HAS_VALUE if something follows an equals sign. */
static bool line_check(const config_place_t *place, const char *text, bool *has_value)
{
    char quoted[CONFIG_QUOTE_SIZE];
    const char *end = text;
    while (name_char(*end))
        end++;
    if (end == text || text[0] == '/' || end[-1] == '/')
        return config_fault(place, "\"%s\" does not begin with a key; write SECTION, or KEY = VALUE",
                            utf8_quote(bytes_from_text(text), quoted, sizeof quoted));
    const char *sign = blanks_skip(end);
    *has_value = *sign == '=' && !rest_empty(sign + 1);
    if (*sign == '=')
        return value_check(place, sign + 1);
    if (!rest_empty(sign))
        return config_fault(place,
                            "\"%s\" after a key; write KEY = VALUE (a key has letters, digits and $-_@.&+; "
                            "--set takes any name)",
                            utf8_quote(bytes_from_text(sign), quoted, sizeof quoted));
    return true;
}

/* Finds the level of a line. */
static bool level_read(reader_t *reader, const char *text, unsigned *level)
{
    size_t spaces = strspn(text, " ");
    if (text[spaces] == '\t')
        return config_fault(&reader->place, "a tab in the indentation; indent with %d spaces a level",
                            (int)INDENT);
    if (spaces % INDENT != 0)
        return config_fault(&reader->place, "indented by %zu space%s; indent with %d a level", spaces,
                            spaces == 1 ? "" : "s", (int)INDENT);
    if (spaces / INDENT > reader->depth)
        return config_fault(&reader->place,
                            reader->depth == 0
                                ? "indented, but under no section; write the section on a line before, "
                                  "without a value and not indented"
                                : "indented too deep; indent a key by %d spaces under its section",
                            (int)INDENT);
    *level = (unsigned)(spaces / INDENT);
    return true;
}

/* Applies a line that zconfig parsed: NAME, at LEVEL, with VALUE (NULL = none). */
static bool item_apply(reader_t *reader, unsigned level, const char *name, const char *value)
{
    size_t begin = level == 0 ? 0 : reader->lengths[level - 1];
    int length = snprintf(reader->path + begin, PATH_SIZE - begin, "%s%s", level == 0 ? "" : "/", name);
    reader->depth = level;
    if (level < LEVELS) {
        reader->lengths[level] = begin + (size_t)length;
        if (value == NULL)
            reader->depth = level + 1;
    }
    if (value == NULL && config_section_known(reader->path))
        return true;
    /* The hash stores the line number itself in place of a pointer. */
    if (zhashx_insert(reader->seen, reader->path, (void *)(uintptr_t)reader->place.line) != 0) {
        char quoted[CONFIG_QUOTE_SIZE];
        return config_fault(&reader->place, "%s was set in line %u already; keep one of them",
                            utf8_quote(bytes_from_text(reader->path), quoted, sizeof quoted),
                            (unsigned)(uintptr_t)zhashx_lookup(reader->seen, reader->path));
    }
    return config_assign(reader->settings, &reader->place, reader->path, value);
}

/* Reads one line. TEXT is zero-terminated. */
static bool line_read(reader_t *reader, const char *text)
{
    if (rest_empty(text))
        return true;
    unsigned level = 0;
    if (!level_read(reader, text, &level))
        return false;
    text += level * INDENT;
    bool has_value = false;
    if (!line_check(&reader->place, text, &has_value))
        return false;
    zconfig_t *root = zconfig_str_load(text);
    zconfig_t *item = root == NULL ? NULL : zconfig_child(root);
    bool done = item == NULL
                    ? config_fault(&reader->place, "not understood; write SECTION, or KEY = VALUE")
                    : item_apply(reader, level, zconfig_name(item), has_value ? zconfig_value(item) : NULL);
    zconfig_destroy(&root);
    return done;
}

/* Copies a line into LINE, if it is short enough and has no forbidden bytes. */
static bool line_take(const config_place_t *place, bytes_t from, char line[CONFIG_LINE_MAX + 1])
{
    if (from.size > CONFIG_LINE_MAX)
        return config_fault(place, "longer than %d bytes; shorten the line", (int)CONFIG_LINE_MAX);
    if (from.size > 0 && memchr(from.data, '\0', from.size) != NULL)
        return config_fault(place, "has a zero byte; give a text file");
    if (!utf8_valid(from))
        return config_fault(place, "is not UTF-8; save the file as UTF-8");
    if (from.size > 0)
        memcpy(line, from.data, from.size);
    line[from.size] = '\0';
    return true;
}

bool config_read(settings_t *settings, const char *name, bytes_t text, char *problem, size_t problem_size)
{
    reader_t reader = {.settings = settings,
                       .place = {.name = name, .problem = problem, .size = problem_size}};
    char line[CONFIG_LINE_MAX + 1];
    bytes_t mark = bytes_from_text(BYTE_ORDER_MARK);
    if (bytes_starts_with(text, mark))
        text = bytes_of(text.data + mark.size, text.size - mark.size);
    reader.seen = zhashx_new();
    bool done = true;
    for (size_t at = 0; at < text.size && done;) {
        const uint8_t *begin = text.data + at;
        const uint8_t *end = memchr(begin, '\n', text.size - at);
        size_t size = end == NULL ? text.size - at : (size_t)(end - begin);
        at += size + 1;
        reader.place.line++;
        done = line_take(&reader.place, bytes_of(begin, size), line) && line_read(&reader, line);
    }
    zhashx_destroy(&reader.seen);
    return done;
}

bool config_load(settings_t *settings, const char *path, char *problem, size_t problem_size)
{
    config_place_t place = {.name = path, .problem = problem, .size = problem_size};
    bool done = false;
    char *text = NULL;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        config_fault(&place, "cannot be opened: %s; check the path after --config and its permissions",
                     strerror(errno));
        goto cleanup;
    }
    text = malloc(CONFIG_FILE_MAX + 1);
    if (text == NULL) {
        config_fault_memory(&place);
        goto cleanup;
    }
    size_t size = fread(text, 1, CONFIG_FILE_MAX + 1, file);
    if (ferror(file)) {
        config_fault(&place, "cannot be read: %s; give a text file", strerror(errno));
        goto cleanup;
    }
    if (size > CONFIG_FILE_MAX) {
        config_fault(&place, "is larger than %d bytes; give a configuration file", (int)CONFIG_FILE_MAX);
        goto cleanup;
    }
    done = config_read(settings, path, bytes_of(text, size), problem, problem_size);
cleanup:
    free(text);
    if (file != NULL)
        fclose(file);
    return done;
}
