"""Single-token mutants of C text, kernel text and the rows of ops.def.

A mutant is told by its file, the line it stands on (text, not number), the token and what takes its
place, so that a list of mutants outlives edits elsewhere in the file.
"""
import re
from dataclasses import dataclass, replace

TOKEN = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
      | [A-Za-z_]\w* | (?:\d[\w.]*) | \n | [ \t]+
      | <<= | >>= | \+\+ | -- | -> | <= | >= | == | != | && | \|\| | << | >>
      | [-+*/%&|^]= | .""",
    re.VERBOSE | re.DOTALL,
)

# Binary operators as clang-format writes them: white space on both sides.
BINARY = {
    "<": ["<="], "<=": ["<"], ">": [">="], ">=": [">"], "==": ["!="], "!=": ["=="],
    "+": ["-"], "-": ["+"], "*": ["+"], "/": ["*"], "%": ["/"],
    "&&": ["||"], "||": ["&&"], "&": ["|"], "|": ["&"],
    "+=": ["-="], "-=": ["+="], "|=": ["&="],
}
NUMBERS = {"0": ["1"], "1": ["0"], "2": ["3"]}
# Names of kernel text that have an opposite, and a sign.
NAMES = {
    "cell_closed": ["cell_jac_nonzero"], "cell_jac_nonzero": ["cell_closed"],
    "PRNN_LANES": ["PRNN_BLOCK_CHANNELS"], "PRNN_CHUNK": ["PRNN_TILE_CHUNKS"],
    "affine_advance": ["affine_retreat"], "affine_retreat": ["affine_advance"],
    "affine_compose": ["affine_compose_after"], "affine_compose_after": ["affine_compose"],
    "affine_apply": ["affine_apply_transposed"], "affine_apply_transposed": ["affine_apply"],
    "real_larger": ["real_abs"], "true": ["false"], "false": ["true"], "LINEAR": ["NONLINEAR"],
    "NONLINEAR": ["LINEAR"],
}
# The derivative columns of ops.def: rules that look like rules.
ROW_NAMES = {
    "ADD": ["SUB"], "SUB": ["ADD"], "MUL": ["DIV"], "DIV": ["MUL"], "NEG": [""],
    "A": ["B", "Y"], "B": ["A"], "Y": ["A"], "ONE": ["NEG(ONE)"], "NONE": ["ONE"],
    "SIN": ["COS"], "COS": ["SIN"], "LE": ["GE"], "GE": ["LE"], "GT": ["LT"], "NOT": [""],
    "SIGMOID": ["TANH"], "POW": ["MUL"], "LOG": ["EXP"], "EXP": ["LOG"], "SIGN": ["ABS"],
    "a": ["b"], "b": ["a"], "c": ["b"], "tanh": ["sinh"], "sqrt": ["cbrt"], "fabs": ["round"],
    "sin": ["cos"], "cos": ["sin"], "exp": ["exp2"], "log": ["log2"], "log1p": ["log"],
    "expm1": ["exp"], "erf": ["erfc"], "pow": ["fmod"],
}
STATEMENT = re.compile(
    r"^[ \t]*(?P<body>(?:(?!for\b|if\b|while\b|return\b|goto\b|case\b|const\b|struct\b|int\b|float\b|"
    r"double\b|unsigned\b|bool\b|uint\w+\b|prnn_\w+ |PRNN_SHARED|static\b|typedef\b|enum\b|#|else\b)"
    r"[A-Za-z_*(][^;{}]*;))[ \t]*(?:/\*.*?\*/)?[ \t]*$",
    re.MULTILINE,
)
# Sizes of arrays are no decisions; what is beyond them is the shim's and the sanitizers' affair.
ARRAYS = re.compile(r"\s*(const )?(prnn_\w+|int|float|double) [^=(]*;\s*$")


@dataclass(frozen=True)
class Mutant:
    path: str       # of the file, from the root of the sources
    start: int      # where in the text ...
    end: int        # ... what is replaced
    new: str
    line: str       # the line as it stands, with single blanks
    old: str
    occurrence: int # among the same tokens of such lines

    def apply(self, text):
        return text[: self.start] + self.new + text[self.end :]

    @property
    def name(self):
        which = f" #{self.occurrence + 1}" if self.occurrence else ""
        old = "dropped" if self.old == self.line else f"{self.old}{which} -> {self.new or 'nothing'}"
        return f"{self.path} | {self.line} | {old}" + (which if self.old == self.line else "")


def squeeze(text):
    return " ".join(text.split())


def line_around(text, start, end):
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    return text[first : last if last >= 0 else len(text)]


def mutant_of(path, text, start, end, new):
    return Mutant(path, start, end, new, squeeze(line_around(text, start, end)),
                  squeeze(text[start:end]), 0)


def row_arity(text, at):
    """Of the row of ops.def that holds this place; 0 outside of the rows."""
    first = text.rfind("\n", 0, at) + 1
    if not re.match(r"\s*(OP[123]\(|CALL,|SFU,|ALU,)", text[first:]):
        return 0
    return int(text[text.rfind("\nOP", 0, at + 3) + 3])


def choices_for(word, before, after, arity):
    """What may stand in place of a token; 'arity' is of a row of ops.def, None elsewhere."""
    if word in BINARY and before.isspace() and (after.isspace() or arity):
        return BINARY[word]
    if word in NUMBERS and before not in ("]", "."):
        return NUMBERS[word]
    if word == "!" and not after.isspace():
        return [""]
    if arity is None:
        return NAMES.get(word, [])
    defined = "abc"[:arity] + "ABC"[:arity]
    return [new for new in ROW_NAMES.get(word, [])
            if new not in tuple("abcABC") or new in defined]


def token_mutants(path, text):
    is_table = path.endswith(".def")
    tokens = list(TOKEN.finditer(text))
    for k, token in enumerate(tokens):
        word = token.group()
        if word.startswith(("/*", "//", '"', "'")) or not word.strip():
            continue
        line = line_around(text, *token.span())
        if re.match(r"\s*#\s*(include|undef|ifndef|error|pragma)", line):
            continue
        if ARRAYS.match(line):
            continue
        arity = row_arity(text, token.start()) if is_table else None
        if arity == 0 or is_table and tokens[k - 2].group().startswith("OP"):
            continue
        before = tokens[k - 1].group() if k else ""
        after = tokens[k + 1].group() if k + 1 < len(tokens) else ""
        for new in choices_for(word, before, after, arity):
            yield mutant_of(path, text, token.start(), token.end(), new)


def statement_mutants(path, text):
    """A dropped statement: an assignment, a call, a barrier, a continue."""
    if path.endswith(".def"):
        return
    comments = [m.span() for m in re.finditer(r"/\*.*?\*/", text, re.DOTALL)]
    for match in STATEMENT.finditer(text):
        body, at = match.group("body"), match.start("body")
        if body.startswith("(void)") or any(begin <= at < end for begin, end in comments):
            continue
        # In place of the statement an empty one, so that 'if (x) y;' keeps its shape.
        yield mutant_of(path, text, match.start("body"), match.end("body"), ";")


def mutants_of(path, text):
    found, times = [], {}
    for mutant in [*token_mutants(path, text), *statement_mutants(path, text)]:
        seen = times.get(mutant.name, 0)
        times[mutant.name] = seen + 1
        found.append(replace(mutant, occurrence=seen))
    return found
