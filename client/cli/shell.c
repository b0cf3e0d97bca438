/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the terminal while a person types: prompt, keys, completion. libedit edits the line. */
#include "client/cli/shell.h"

#include <histedit.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/command_table.h"
#include "client/cli/interrupt.h"
#include "client/cli/keeping.h"
#include "client/cli/line.h"
#include "client/cli/line_history.h"
#include "client/cli/script.h"
#include "client/cli/typing.h"
#include "client/cli/watching.h"
#include "common/utf8.h"

/* The state of an interactive session: libedit's EL_CLIENTDATA. */
typedef struct shell {
    typing_t typing; /* first: see typing_init */
    cli_t *cli;      /* borrowed */
    keeping_t keeping;
    watching_t *background; /* the current watch; NULL = none. Owned */
} shell_t;

static shell_t *shell_of(EditLine *editor)
{
    shell_t *shell = NULL;
    el_get(editor, EL_CLIENTDATA, &shell);
    return shell;
}

/* ---- Output above the line that is typed -------------------------------------------------------- */

enum {
    PROMPT_COLUMNS = 2,  /* of the prompt */
    COLUMNS_DEFAULT = 80 /* of a terminal that does not report them */
};

/* The row of the cursor within the line that libedit shows; 0 is the first. */
static int cursor_row(EditLine *editor)
{
    char wanted[] = "co";
    int columns = 0;
    if (el_get(editor, EL_GETTC, wanted, &columns) != 0 || columns < 2)
        columns = COLUMNS_DEFAULT;
    const LineInfoW *line = el_wline(editor);
    int row = 0;
    int column = PROMPT_COLUMNS;
    for (const wchar_t *at = line->buffer; at < line->cursor; at++) {
        if (*at == L'\n') { /* in pasted text */
            row++;
            column = 0;
            continue;
        }
        int width = wcwidth(*at);
        if (width < 0)
            width = 2; /* a control character, as ^X */
        if (column + width > columns) {
            row++;
            column = 0;
        }
        column += width;
        if (column == columns) {
            row++;
            column = 0;
        }
    }
    return row;
}

/* Removes the prompt and the line from the screen, to show something else there. EL_REFRESH shows them again.
 */
static void line_clear(EditLine *editor)
{
    char wanted[] = "cd";
    const char *clears = NULL; /* if set, the terminal understands the sequence below */
    if (el_get(editor, EL_GETTC, wanted, &clears) != 0 || clears == NULL || *clears == '\0') {
        fputc('\n', stdout);
        return;
    }
    int row = cursor_row(editor);
    if (row > 0)
        printf("\033[%dA", row);
    fputs("\r\033[J", stdout);
}

static void watch_show(EditLine *editor, shell_t *shell)
{
    if (shell->background == NULL)
        return;
    bool more = watching_take(shell->background, 0);
    if (more && !watching_has_lines(shell->background))
        return;
    line_clear(editor);
    watching_show(shell->background, stdout);
    if (!more) {
        (void)cli_finish(shell->cli, watching_end(shell->background));
        watching_destroy(&shell->background);
        fputs("Stopped watching\n", stdout);
    }
    el_set(editor, EL_REFRESH);
}

/* ---- Keys ------------------------------------------------------------------------------------- */

static char *shell_prompt(EditLine *editor)
{
    static char prompt[PROMPT_COLUMNS + 1] = "> ";
    (void)editor;
    return prompt;
}

static void terminal_take(EditLine *editor)
{
    el_set(editor, EL_PREP_TERM, 0); /* off and on again: libedit skips a mode that it thinks is set */
    el_set(editor, EL_PREP_TERM, 1);
    el_resize(editor);
    typing_paste_begin(editor);
    el_set(editor, EL_REFRESH);
}

/* Whether a watch keeps the session alive and reports its loss. */
static bool watch_keeps(const shell_t *shell)
{
    return shell->background != NULL && watching_is_own(shell->background);
}

/* Keeps the session alive, and shows news of it above the line that is being typed. */
static void session_show(EditLine *editor, shell_t *shell)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return;
    keeping_look(&shell->keeping, stream);
    (void)fclose(stream);
    if (size > 0) {
        line_clear(editor);
        fflush(stdout);
        (void)fwrite(text, 1, size, stderr);
        el_set(editor, EL_REFRESH);
    }
    free(text);
}

static int sooner_ms(int a_ms, int b_ms)
{
    return a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms;
}

/* Shows news, and waits for the next key or for more news. */
static interrupt_wait_t key_wait(EditLine *editor, shell_t *shell)
{
    int watch_ms = -1;
    int keep_ms = -1;
    watch_show(editor, shell);
    bool keeps = !watch_keeps(shell);
    if (keeps)
        session_show(editor, shell);
    const int files[] = {
        STDIN_FILENO,
        shell->background == NULL ? -1 : watching_wait(shell->background, &watch_ms),
        keeps ? keeping_wait(&shell->keeping, &keep_ms) : -1,
    };
    return interrupt_wait_files(files, sizeof files / sizeof *files, sooner_ms(watch_ms, keep_ms));
}

/* Reads a byte. Takes input that has been typed before anything else. Returns what read returns; -1 also
 * after Ctrl-C. */
static ssize_t key_read(EditLine *editor, char *byte)
{
    static const int file = STDIN_FILENO;
    interrupt_wait_t waited = interrupt_wait_files(&file, 1, 0);
    for (;;) {
        switch (waited) {
        case WAIT_TERMINAL:
            terminal_take(editor);
            break;
        case WAIT_OTHER:
            break;
        case WAIT_INTERRUPT:
            return -1;
        case WAIT_READABLE:
            return read(STDIN_FILENO, byte, 1);
        }
        waited = key_wait(editor, shell_of(editor));
    }
}

/* Gives libedit the next character. Ctrl-C ends the line, which shell_loop then drops. */
static int shell_key(EditLine *editor, wchar_t *key)
{
    shell_t *shell = shell_of(editor);
    int count = typing_character(&shell->typing, editor, key);
    if (!interrupt_pending())
        return count;
    typing_reset(&shell->typing);
    fputs("^C", stdout);
    *key = L'\n';
    return 1;
}

/* ---- Completion ------------------------------------------------------------------------------- */

enum {
    CHOICES_MAX = 64, /* most names to choose from: all commands, or all options of one */
    WORDS_MAX = 3     /* words of a line that completion looks at */
};

typedef struct choices {
    bytes_t prefix; /* the beginning of the name, as typed; borrowed */
    const char *names[CHOICES_MAX];
    size_t count;
} choices_t;

static void choices_add(choices_t *choices, const char *name)
{
    if (choices->count < CHOICES_MAX && bytes_starts_with(bytes_from_text(name), choices->prefix))
        choices->names[choices->count++] = name;
}

static void choices_add_commands(choices_t *choices, unsigned flags)
{
    for (const command_t *command = commands; command->name != NULL; command++) {
        if ((command->flags & flags) == flags)
            choices_add(choices, command->name);
    }
}

static void choices_add_options(choices_t *choices, const command_t *command)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        if ((command->options & OPT_BIT(i)) != 0)
            choices_add(choices, option_name((option_id_t)i));
    }
}

/* Returns the word at *AT in TEXT, and moves *AT past it. */
static bytes_t word_next(bytes_t text, size_t *at)
{
    while (*at < text.size && text.data[*at] == ' ')
        ++*at;
    size_t begin = *at;
    while (*at < text.size && text.data[*at] != ' ')
        ++*at;
    return bytes_of(text.data + begin, *at - begin);
}

/* Fills CHOICES with the names that can complete TEXT. */
static void choices_find(choices_t *choices, bytes_t text)
{
    bytes_t words[WORDS_MAX];
    size_t count = 0; /* words before the one being typed */
    size_t at = 0;
    bytes_t word = word_next(text, &at);
    while (at < text.size) {
        if (count < WORDS_MAX)
            words[count] = word;
        count++;
        word = word_next(text, &at);
    }
    choices->prefix = word;
    const command_t *command = count == 0 ? NULL : command_find(words[0]);
    bool prefixed = command != NULL && (command->flags & COMMAND_PREFIX) != 0;
    if (prefixed && count > 2)
        command = command_find(words[2]);
    if (count == 0 || (command != NULL && (command->flags & COMMAND_HELP) != 0))
        choices_add_commands(choices, 0);
    else if (prefixed && count == 2)
        choices_add_commands(choices, COMMAND_STORE);
    else if (command != NULL && bytes_starts_with(word, bytes_from_text("--")))
        choices_add_options(choices, command);
}

/* The length of the common beginning of all names. */
static size_t choices_common(const choices_t *choices)
{
    size_t common = strlen(choices->names[0]);
    for (size_t i = 1; i < choices->count; i++) {
        size_t same = 0;
        while (same < common && choices->names[i][same] == choices->names[0][same])
            same++;
        common = same;
    }
    return common;
}

static void choices_show(const choices_t *choices)
{
    fputc('\n', stdout);
    for (size_t i = 0; i < choices->count; i++)
        printf("%s%s", choices->names[i], i + 1 < choices->count ? "  " : "\n");
    fflush(stdout);
}

static unsigned char shell_complete(EditLine *editor, int key)
{
    (void)key;
    const LineInfo *line = el_line(editor);
    choices_t choices = {.count = 0};
    choices_find(&choices, bytes_of(line->buffer, (size_t)(line->cursor - line->buffer)));
    if (choices.count == 0)
        return CC_REFRESH_BEEP;
    size_t common = choices_common(&choices);
    if (choices.count > 1 && common == choices.prefix.size) {
        choices_show(&choices);
        return CC_REDISPLAY;
    }
    char rest[64];
    snprintf(rest, sizeof rest, "%.*s%s", (int)(common - choices.prefix.size),
             choices.names[0] + choices.prefix.size, choices.count == 1 ? " " : "");
    return el_insertstr(editor, rest) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
}

/* ---- The loop --------------------------------------------------------------------------------- */

static EditLine *editor_new(shell_t *shell, line_history_t *typed)
{
    EditLine *editor = el_init("kvzmq-cli", stdin, stdout, stderr);
    if (editor == NULL)
        return NULL;
    el_set(editor, EL_CLIENTDATA, shell);
    el_set(editor, EL_PROMPT, shell_prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_SIGNAL, 0);
    el_set(editor, EL_GETCFN, shell_key);
    typing_init(&shell->typing, editor, key_read);
    el_wset(editor, EL_ADDFN, L"kvzmq-complete", L"Complete a command", shell_complete);
    el_set(editor, EL_BIND, "\t", "kvzmq-complete", NULL);
    el_set(editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    if (typed->lines != NULL)
        el_set(editor, EL_HIST, history, typed->lines);
    el_source(editor, NULL); /* the user's key bindings, ~/.editrc */
    return editor;
}

static void shell_take_line(shell_t *shell, line_history_t *typed, const char *text)
{
    const cli_t *cli = shell->cli;
    line_history_add(typed, text);
    bytes_t left = bytes_from_text(text);
    while (left.size > 0 && !cli->ended && !interrupt_pending()) { /* several lines, if pasted */
        bytes_t line = bytes_of(left.data, line_length(left));
        left = bytes_of(left.data + line.size, left.size - line.size);
        (void)script_line(shell->cli, line, &shell->background);
    }
}

static void shell_loop(shell_t *shell, EditLine *editor, line_history_t *typed)
{
    while (!shell->cli->ended) {
        int count;
        interrupt_clear();
        el_set(editor, EL_PREP_TERM, 1); /* before the prompt: else keys pressed early are echoed twice */
        typing_paste_begin(editor);
        const char *text = el_gets(editor, &count);
        typing_paste_end(editor);
        if (interrupt_pending())
            continue;
        if (text == NULL || count <= 0) {
            fputc('\n', stdout);
            return;
        }
        shell_take_line(shell, typed, text);
    }
}

enum { ENDPOINT_SHOWN = 256 }; /* bytes */

outcome_t shell_run(cli_t *cli)
{
    kvzmq_status_t status = kvzmq_connect(cli->connection);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    cli->interactive = true;
    char endpoint[ENDPOINT_SHOWN];
    printf("Connected to %s as client %s\n",
           utf8_line(bytes_from_text(kvzmq_endpoint(cli->connection)), endpoint, sizeof endpoint),
           kvzmq_session(cli->connection)->client);
    line_history_t typed;
    line_history_init(&typed, cli->options->history);
    interrupt_catch_terminal();
    outcome_t outcome = OUTCOME_OK;
    shell_t shell = {.cli = cli};
    keeping_init(&shell.keeping, cli);
    EditLine *editor = editor_new(&shell, &typed);
    if (editor == NULL) {
        fputs("kvzmq-cli: this terminal cannot be used; pipe the commands in instead\n", stderr);
        outcome = OUTCOME_FAILED;
    } else {
        shell_loop(&shell, editor, &typed);
        el_end(editor);
    }
    watching_destroy(&shell.background);
    line_history_release(&typed);
    return outcome;
}
