/* SPDX-License-Identifier: MPL-2.0 */
/* Translates typed bytes for libedit. libedit inserts the letters of an escape sequence that it does not
 * know, and during a search also of one that it knows. So it never gets a sequence: a key that is bound (by
 * the user, libedit or this tool) is passed on as one character, KEY_CHARACTER. */
#include "client/cli/typing.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/cli/line.h"
#include "common/buffer.h"

enum {
    KEY_CHARACTER = 0x80, /* libedit gets this for a key: a control character that nobody types */
    BOUND_MAX = 256       /* bytes of libedit's output about a binding */
};

/* ---- Key bindings ----------------------------------------------------------------------------- */

/* Spells the sequence in KEYS for libedit's bind, where ^ and \ must be escaped. False: no key sends it,
 * because it has parameters that are not numbers. */
static bool sequence_spell(const keys_t *keys, wchar_t out[2 * KEYS_SEQUENCE_MAX + 1])
{
    for (size_t i = 0; i < keys->size; i++) {
        uint8_t c = keys->bytes[i];
        if (c >= 0x20 && c < 0x40 && strchr("0123456789;$", c) == NULL)
            return false;
        if (c == '^' || c == '\\')
            *out++ = L'\\';
        *out++ = (wchar_t)c;
    }
    *out = L'\0';
    return true;
}

/* Finds what libedit (or ~/.editrc) has bound to SEQUENCE: the name of a function, or "..." (a text to
 * insert). False: nothing. libedit only prints bindings, so this parses its output. */
static bool sequence_bound(EditLine *editor, const wchar_t *sequence, char out[BOUND_MAX])
{
    char said[BOUND_MAX] = "";
    FILE *usual[2] = {NULL, NULL};
    FILE *stream = fmemopen(said, sizeof said - 1, "w");
    if (stream == NULL || el_get(editor, EL_GETFP, 1, &usual[0]) != 0 ||
        el_get(editor, EL_GETFP, 2, &usual[1]) != 0)
        goto cleanup;
    el_set(editor, EL_SETFP, 1, stream);
    el_set(editor, EL_SETFP, 2, stream);
    el_wset(editor, EL_BIND, sequence, NULL);
    el_set(editor, EL_SETFP, 1, usual[0]);
    el_set(editor, EL_SETFP, 2, usual[1]);
cleanup:
    if (stream != NULL)
        fclose(stream);
    const char *name = strstr(said, "->");
    const char *end = strchr(said, '\n');
    if (name == NULL || end == NULL || end < name || end[1] != '\0')
        return false; /* not bound, or only the beginning of bound sequences */
    name += strspn(name, "-> \t");
    (void)snprintf(out, BOUND_MAX, "%.*s", (int)(end - name), name);
    return true;
}

/* Binds KEY_CHARACTER to FUNCTION. */
static void character_bind(EditLine *editor, const char *function)
{
    static const wchar_t character[] = {KEY_CHARACTER, L'\0'};
    wchar_t name[BOUND_MAX];
    if (mbstowcs(name, function, BOUND_MAX) == (size_t)-1)
        return;
    el_wset(editor, EL_BIND, character, name, NULL);
    el_wset(editor, EL_BIND, L"-a", character, name, NULL); /* in vi's command mode */
}

/* Prepares what libedit gets for the sequence in `keys`. Returns false if the key does nothing. */
static bool sequence_take(typing_t *typing, EditLine *editor)
{
    keys_t *keys = &typing->keys;
    wchar_t spelled[2 * KEYS_SEQUENCE_MAX + 1];
    char bound[BOUND_MAX];
    if (keys->overrun || !sequence_spell(keys, spelled))
        return false;
    const char *function = keys_function(bytes_of(keys->bytes, keys->size));
    if (sequence_bound(editor, spelled, bound))
        function = bound;
    if (function == NULL)
        return false;
    if (*function == '"')
        return true; /* libedit reads the sequence, and inserts the text */
    character_bind(editor, function);
    keys->size = 0;
    return true;
}

/* ---- Pasted text ------------------------------------------------------------------------------ */

/* Reads pasted text up to its end into TEXT. Reads what TEXT has no room for too, because it must not be
 * taken for keys. */
static bool paste_read(typing_t *typing, EditLine *editor, buffer_t *text)
{
    size_t matched = 0; /* bytes of keys_paste_end that have matched */
    while (keys_paste_end[matched] != '\0') {
        char byte;
        if (typing->read(editor, &byte) <= 0)
            return false;
        /* keys_paste_end begins with ESC and has no other ESC. */
        matched = byte == keys_paste_end[matched] ? matched + 1 : byte == keys_paste_end[0];
        if (byte == '\r')
            byte = '\n';
        if (byte != '\0')
            buffer_append(text, &byte, 1);
    }
    if (text->failed)
        return false;
    buffer_truncate(text, text->size - matched);
    return true;
}

/* Inserts TEXT, without bytes that are not UTF-8. */
static bool text_insert(EditLine *editor, bytes_t text)
{
    wchar_t *wide = calloc(text.size + 1, sizeof *wide);
    size_t count = 0;
    mbstate_t state = {0};
    if (wide == NULL)
        return false;
    for (size_t at = 0; at < text.size;) {
        size_t size = mbrtowc(wide + count, (const char *)text.data + at, text.size - at, &state);
        bool valid = size != (size_t)-1 && size != (size_t)-2 && size != 0;
        if (!valid)
            state = (mbstate_t){0};
        at += valid ? size : 1;
        count += valid;
    }
    wide[count] = L'\0';
    bool inserted = count == 0 || el_winsertstr(editor, wide) == 0;
    free(wide);
    return inserted;
}

/* The function KEYS_PASTE. Pasted text is never taken for keys, and no line of it runs before Enter is
 * pressed. So line breaks at its end are removed. */
static unsigned char paste(EditLine *editor, int key)
{
    typing_t *typing = NULL;
    buffer_t text;
    (void)key;
    el_get(editor, EL_CLIENTDATA, &typing);
    buffer_init(&text, LINE_BYTES_MAX);
    bool taken = paste_read(typing, editor, &text);
    while (text.size > 0 && text.data[text.size - 1] == '\n')
        buffer_truncate(&text, text.size - 1);
    if (taken)
        taken = text_insert(editor, buffer_bytes(&text));
    if (text.size > 0)
        explicit_bzero(text.data, text.size); /* it may have held a password */
    buffer_release(&text);
    return taken ? CC_REFRESH : CC_REFRESH_BEEP;
}

/* Whether the terminal understands control sequences. One that does ignores those that it does not know. */
static bool terminal_understands(EditLine *editor)
{
    char wanted[] = "cd";
    const char *clears = NULL;
    return el_get(editor, EL_GETTC, wanted, &clears) == 0 && clears != NULL && *clears != '\0';
}

void typing_paste_begin(EditLine *editor)
{
    if (terminal_understands(editor))
        fputs("\033[?2004h", stdout);
    fflush(stdout);
}

void typing_paste_end(EditLine *editor)
{
    if (terminal_understands(editor))
        fputs("\033[?2004l", stdout);
    fflush(stdout);
}

/* ---- Characters ------------------------------------------------------------------------------- */

void typing_init(typing_t *typing, EditLine *editor, typing_read_fn *read)
{
    *typing = (typing_t){.read = read};
    /* el_wset, because el_set leaks the strings of EL_ADDFN. */
    el_wset(editor, EL_ADDFN, L"" KEYS_PASTE, L"Insert what is pasted", paste);
}

void typing_reset(typing_t *typing)
{
    *typing = (typing_t){.read = typing->read};
}

/* Reads the next key. Returns what read returns. 1 with `ready` 0: pass KEY_CHARACTER to libedit. */
static ssize_t key_take(typing_t *typing, EditLine *editor)
{
    for (;;) {
        char byte;
        ssize_t count = typing->read(editor, &byte);
        if (count <= 0)
            return count;
        keys_step_t step = keys_take(&typing->keys, (uint8_t)byte);
        if (step == KEYS_MORE || (step == KEYS_SEQUENCE && !sequence_take(typing, editor)))
            continue;
        typing->next = 0;
        typing->ready = typing->keys.size;
        return 1;
    }
}

int typing_character(typing_t *typing, EditLine *editor, wchar_t *character)
{
    for (;;) {
        ssize_t count = typing->next < typing->ready ? 1 : key_take(typing, editor);
        if (count <= 0)
            return (int)count;
        if (typing->ready == 0) {
            *character = KEY_CHARACTER;
            return 1;
        }
        const char byte = (char)typing->keys.bytes[typing->next++];
        size_t size = mbrtowc(character, &byte, 1, &typing->state);
        if (size == (size_t)-1)
            typing->state = (mbstate_t){0};
        else if (size != (size_t)-2 && *character != KEY_CHARACTER)
            return 1;
    }
}
