/* The grammar of .cell files. Actions only build; what they build is in parse.c. */
%require "3.8"
%define api.pure full
%define api.prefix {cell_}
%define api.token.prefix {TOK_}
%define api.value.type union
%define api.location.type {struct span}
%define parse.error custom
%define parse.lac full
%define parse.lac.es-capacity-initial {400}
%locations
%expect 0
%param {struct parser *cx}

%code requires {
#include "parse_internal.h"
}

%code provides {
/* The scanner is generated with other names for these. */
#define YYSTYPE CELL_STYPE
#define YYLTYPE CELL_LTYPE
int cell_yylex(CELL_STYPE *value, CELL_LTYPE *place, void *scanner);
}

%code {
#include "parse_report.h"

static int cell_lex(CELL_STYPE *value, CELL_LTYPE *place, struct parser *cx);
static void cell_error(CELL_LTYPE *place, struct parser *cx, const char *text);

/* An empty rule stands at the end of the symbol before it. */
#define YYLLOC_DEFAULT(result, rhs, count)                                                         \
    do {                                                                                           \
        (result).begin = (count) ? YYRHSLOC(rhs, 1).begin : YYRHSLOC(rhs, 0).end;                  \
        (result).end = (count) ? YYRHSLOC(rhs, count).end : YYRHSLOC(rhs, 0).end;                  \
    } while (0)

/* Stacks grow in the arena, so a jump out of it loses nothing. The depth is more than twice what
 * nesting within the limit needs. The stack of LAC grows in a function that has no 'cx': it finds the
 * one below, gets no memory, and the fault is "nested too deep". It never comes to that, because a
 * chain of reductions is shorter than its first capacity. */
static struct parser *const cx = NULL;
#define YYMALLOC(size) (cx ? arena_alloc(cx->arena, (size)) : NULL)
#define YYFREE(piece) ((void)(piece))
#define YYMAXDEPTH 4000
}

%token <const char *> NAME "name"
%token <struct ast_expr *> NUMBER "number"
%token CELL "cell" FN "fn" STATE "state" INPUT "input" PARAM "param" CONST "const"
%token OUTPUT "output" GUESS "guess" IN "in" INIT "init" NOGRAD "nograd"
%token AND "and" OR "or" NOT "not"
%token LBRACE "{" RBRACE "}" LPAREN "(" RPAREN ")" LBRACKET "[" RBRACKET "]"
%token SEMICOLON ";" COMMA "," COLON ":" ASSIGN "=" PRIME "'"
%token PLUS "+" MINUS "-" STAR "*" SLASH "/" AT "@" CARET "^"
%token LT "<" LE "<=" GT ">" GE ">=" EQ "==" NE "!="
%token EOF 0 "end of file"

%type <struct ast_expr *> expr conjunction negation comparison sum term unary power postfix primary
%type <struct ast_expr *> start
%type <struct expr_list> exprs size args
%type <struct name_list> params
%type <struct ast_decl *> state name binding output
%type <struct decl_list> states names bindings outputs
%type <struct ast_attributes *> attributes
%type <enum ast_kind> compare

%%

file: fns cell ;

fns: %empty | fns fn ;

fn: "fn" NAME[n] "(" params[p] ")" "=" expr[e] ";"   { add_fn(cx, $n, @n, $p, $e, @$); }
  | "fn" error ";"                                   { yyerrok; }
  ;

params: NAME[n]              { $$ = name_list_add(cx, (struct name_list){.count = 0}, $n, @n); }
      | params[l] "," NAME[n] { $$ = name_list_add(cx, $l, $n, @n); }
      ;

cell: head "{"[o] statements "}"         { cx->ast->cell_span.end = @$.end;
                                           cx->ast->open_span = @o; }
    | head "{" statements error "}"
    ;

head: "cell"[c] NAME[n]      { cx->ast->name = $n; cx->ast->name_span = @n; cx->ast->cell_span = @c; }
    ;

statements: %empty | statements statement ;

statement: "state" states[l] attributes[a] ";"   { add_statement(cx, AST_STATE, $l, $a, @$); }
         | "input" names[l] attributes[a] ";"    { add_statement(cx, AST_INPUT, $l, $a, @$); }
         | "param" names[l] attributes[a] ";"    { add_statement(cx, AST_PARAM, $l, $a, @$); }
         | "const" bindings[l] ";"               { add_statement(cx, AST_CONST, $l, NULL, @$); }
         | "output" outputs[l] ";"               { add_statement(cx, AST_OUTPUT, $l, NULL, @$); }
         | "guess" bindings[l] ";"               { add_statement(cx, AST_GUESS, $l, NULL, @$); }
         | binding[b] ";"
             { add_statement(cx, AST_DEFINE, (struct decl_list){$b, $b}, NULL, @$); }
         | NAME[n] "'"[p] "=" expr[e] ";"
             { struct ast_decl *d = make_decl(cx, $n, (struct span){@n.begin, @p.end},
                                              (struct expr_list){.count = 0}, $e,
                                              (struct span){@n.begin, @e.end});
               add_statement(cx, AST_UPDATE, (struct decl_list){d, d}, NULL, @$); }
         | error ";"   { yyerrok; } /* a new statement: its faults are its own */
         ;

states: state[d]                 { $$ = (struct decl_list){$d, $d}; }
      | states[l] "," state[d]   { $$ = decl_list_add($l, $d); }
      ;

state: NAME[n] size[s] start[e]  { $$ = make_decl(cx, $n, @n, $s, $e, @$); }
     ;

start: %empty      { $$ = NULL; }
     | "=" expr[e] { $$ = $e; }
     ;

names: name[d]                   { $$ = (struct decl_list){$d, $d}; }
     | names[l] "," name[d]      { $$ = decl_list_add($l, $d); }
     ;

name: NAME[n] size[s]            { $$ = make_decl(cx, $n, @n, $s, NULL, @$); }
    ;

size: %empty                     { $$ = (struct expr_list){.count = 0}; }
    | "[" exprs[l] "]"           { $$ = $l; }
    ;

bindings: binding[d]                   { $$ = (struct decl_list){$d, $d}; }
        | bindings[l] "," binding[d]   { $$ = decl_list_add($l, $d); }
        ;

binding: NAME[n] "=" expr[e]
           { $$ = make_decl(cx, $n, @n, (struct expr_list){.count = 0}, $e, @$); }
       ;

outputs: output[d]                   { $$ = (struct decl_list){$d, $d}; }
       | outputs[l] "," output[d]    { $$ = decl_list_add($l, $d); }
       ;

output: binding
      | NAME[n]
          { $$ = make_decl(cx, $n, @n, (struct expr_list){.count = 0},
                           make_name(cx, AST_NAME, $n, @n), @$);
            $$->is_reference = true; }
      | NAME[n] "'"
          { $$ = make_decl(cx, $n, @$, (struct expr_list){.count = 0},
                           make_name(cx, AST_NEXT, $n, @$), @$);
            $$->is_reference = true; }
      ;

attributes: %empty                                 { $$ = make_attributes(cx); }
          | attributes[a] ":"[c] NAME[n]           { attribute_storage($a, $n, (struct span){@c.begin, @n.end}); $$ = $a; }
          | attributes[a] "in"[i] "[" expr[lo] "," expr[hi] "]"[e]
              { attribute_range($a, $lo, $hi, (struct span){@i.begin, @e.end}); $$ = $a; }
          | attributes[a] "init"[i] NAME[n]
              { attribute_init($a, $n, (struct expr_list){.count = 0}, false, (struct span){@i.begin, @n.end}); $$ = $a; }
          | attributes[a] "init"[i] NAME[n] "(" args[l] ")"[e]
              { attribute_init($a, $n, $l, true, (struct span){@i.begin, @e.end}); $$ = $a; }
          | attributes[a] "nograd"[n]              { attribute_nograd($a, @n); $$ = $a; }
          ;

args: %empty    { $$ = (struct expr_list){.count = 0}; }
    | exprs
    ;

exprs: expr[e]                { $$ = expr_list_add(cx, (struct expr_list){.count = 0}, $e); }
     | exprs[l] "," expr[e]   { $$ = expr_list_add(cx, $l, $e); }
     ;

expr: conjunction
    | expr[l] "or" conjunction[r]            { $$ = make_binary(cx, AST_OR, $l, $r, @$); }
    ;

conjunction: negation
           | conjunction[l] "and" negation[r] { $$ = make_binary(cx, AST_AND, $l, $r, @$); }
           ;

negation: comparison
        | "not" negation[o]                  { $$ = make_unary(cx, AST_NOT, $o, @$); }
        ;

comparison: sum
          | comparison[l] compare[k] sum[r]  { $$ = make_binary(cx, $k, $l, $r, @$); }
          ;

compare: "<"  { $$ = AST_LT; }
       | "<=" { $$ = AST_LE; }
       | ">"  { $$ = AST_GT; }
       | ">=" { $$ = AST_GE; }
       | "==" { $$ = AST_EQ; }
       | "!=" { $$ = AST_NE; }
       ;

sum: term
   | sum[l] "+" term[r]       { $$ = make_binary(cx, AST_ADD, $l, $r, @$); }
   | sum[l] "-" term[r]       { $$ = make_binary(cx, AST_SUB, $l, $r, @$); }
   ;

term: unary
    | term[l] "*" unary[r]    { $$ = make_binary(cx, AST_MUL, $l, $r, @$); }
    | term[l] "/" unary[r]    { $$ = make_binary(cx, AST_DIV, $l, $r, @$); }
    | term[l] "@" unary[r]    { $$ = make_binary(cx, AST_MATMUL, $l, $r, @$); }
    ;

unary: power
     | "-" unary[o]           { $$ = make_unary(cx, AST_NEG, $o, @$); }
     ;

power: postfix
     | postfix[l] "^" unary[r] { $$ = make_binary(cx, AST_POW, $l, $r, @$); }
     ;

postfix: primary
       | postfix[o] "[" exprs[l] "]"   { $$ = make_index(cx, $o, $l, @$); }
       ;

primary: NUMBER
       | NAME[n]                       { $$ = make_name(cx, AST_NAME, $n, @n); }
       | NAME[n] "'"                   { $$ = make_name(cx, AST_NEXT, $n, @$); }
       | NAME[n] "(" args[l] ")"       { $$ = make_call(cx, $n, @n, $l, @$); }
       | "(" expr[e] ")"               { $$ = $e; $$->has_parens = true; $$->span = @$; }
       ;

%%

/* Whether a token that does not fit begins the next statement, so that the one before lacks its end.
 * Words of declarations stand nowhere else. A name does, but not first on its line with '=' behind. */
static bool begins_statement(const struct parser *cx, int token, struct span place)
{
    if (!cx->ast->name_span.end) /* before the cell */
        return token == TOK_FN || token == TOK_CELL;
    switch (token) {
    case TOK_STATE:
    case TOK_INPUT:
    case TOK_PARAM:
    case TOK_CONST:
    case TOK_OUTPUT:
    case TOK_GUESS:
        return true;
    case TOK_NAME:
        return report_is_assignment(cx, place);
    default:
        return false;
    }
}

/* The parser has a token that does not fit. */
static void begin_skipping(struct parser *cx, int token)
{
    cx->is_skipping = token != TOK_SEMICOLON && token != TOK_RBRACE;
    cx->open_braces = token == TOK_LBRACE;
    if (cx->is_skipping && begins_statement(cx, token, cx->last))
        cx->replay = REPLAY_SEMICOLON;
}

/* The scanner's tokens with the limits on their number and on the depth of brackets. */
static int next_token(CELL_STYPE *value, CELL_LTYPE *place, struct parser *cx)
{
    const int token = cell_yylex(value, place, cx->scanner);
    if (token == TOK_LPAREN || token == TOK_LBRACKET)
        cx->bracket_depth++;
    else if ((token == TOK_RPAREN || token == TOK_RBRACKET) && cx->bracket_depth > 0)
        cx->bracket_depth--;
    else if (token == TOK_SEMICOLON)
        cx->bracket_depth = 0;
    cx->token = token;
    cx->name = token == TOK_NAME ? value->TOK_NAME : NULL;
    return report_limits(cx, *place) ? token : TOK_EOF;
}

/* A token behind a fault, up to the end of the statement. Braces that are opened there are closed
 * there: only then is '}' not the end of the cell. */
static int skipped_token(struct parser *cx, int token, struct span place)
{
    if (begins_statement(cx, token, place)) {
        cx->replay = REPLAY_SEMICOLON;
    } else if (token == TOK_LBRACE) {
        cx->open_braces++;
    } else if (token == TOK_RBRACE && cx->open_braces > 0) {
        cx->open_braces--;
        return TOK_LBRACE; /* is skipped as well */
    } else if (token == TOK_SEMICOLON || token == TOK_RBRACE) {
        cx->is_skipping = false;
    }
    return token;
}

/* The grammar resumes behind a fault at ';'. Where that is what is missing, the next statement would
 * be lost with its own faults, so a ';' is put before the token that begins it. If the parser has that
 * token already, it throws it away, and gets it again behind the ';'. */
static int cell_lex(CELL_STYPE *value, CELL_LTYPE *place, struct parser *cx)
{
    int token = cx->token;
    if (cx->is_stopped)
        return TOK_EOF;
    if (cx->replay == REPLAY_NOTHING) {
        token = next_token(value, place, cx);
        if (cx->is_skipping && !cx->is_stopped)
            token = skipped_token(cx, token, *place);
        else if (token == TOK_CELL_error)
            begin_skipping(cx, token);
    }
    switch (cx->replay) {
    case REPLAY_NOTHING:
        break;
    case REPLAY_SEMICOLON:
        cx->replay = REPLAY_TOKEN;
        cx->is_skipping = false;
        cx->bracket_depth = 0;
        *place = (struct span){cx->before.end, cx->before.end};
        return TOK_SEMICOLON;
    case REPLAY_TOKEN:
        cx->replay = REPLAY_NOTHING;
        *place = cx->last;
        if (token == TOK_NAME)
            value->TOK_NAME = cx->name;
        break;
    }
    return token;
}

static void cell_error(CELL_LTYPE *place, struct parser *cx, const char *text)
{
    (void)text; /* "memory exhausted": the stack is at YYMAXDEPTH */
    report_too_deep(cx, *place);
}

static int yyreport_syntax_error(const yypcontext_t *context, struct parser *cx)
{
    yysymbol_kind_t expected[YYNTOKENS];
    const char *names[YYNTOKENS];
    const yysymbol_kind_t found = yypcontext_token(context);
    const int count = yypcontext_expected_tokens(context, expected, YYNTOKENS);
    if (count == YYENOMEM)
        return YYENOMEM;
    for (int i = 0; i < count; i++)
        names[i] = yysymbol_name(expected[i]);
    report_syntax(cx, *yypcontext_location(context),
                  found == YYSYMBOL_YYEMPTY ? "" : yysymbol_name(found), names, (uint32_t)count);
    begin_skipping(cx, cx->token);
    return 0;
}
