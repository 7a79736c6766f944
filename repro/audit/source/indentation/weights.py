"""How much each evidence weighs: the log-odds, in tenths, of a statement's ending a block, for each kind of block.

Fitted by logistic regression (tests/audit/source/fit_indentation.py) to 664 files of torch 2.15 without its models
(nn, optim, distributions, utils, ao, distributed, fx, onnx and others), of scikit-learn, networkx, Pillow, joblib,
huggingface_hub and of Python's library, each with and without its empty lines. No file of torchvision or timm was seen.
"""

from __future__ import annotations

COLUMNS = ("if", "else", "loop", "with", "function", "method", "class")

# By hand, as they are too rare to be fitted.
GIVEN = {
    # What is bound and not read again is for the next time round a loop: it stands where the loop has read it.
    "carried:inside": (-35, -35, -35, -35, 0, 0, 0),
    "carried:outside": (20, 20, 0, 20, 0, 0, 0),
    "later:carried": (0, 0, -15, 0, 0, 0, 0),
    # A block that no name ties to anything around it: as often in as out, by the sample. It is taken to be in.
    "tied:nothing opens": (-20, -20, 0, 0, 0, 0, 0),
}

_TABLE = """
any                          0     2     7     2   -11   -10    -2
before:alike                 1    -6    -1     1     0     4     1
before:same                 -5   -16    -5     1    10     3     6
binds:asked                 -2     0     0     0     0     0     0
binds:bound                  6    -7     6     0    -6    -1     0
binds:constant               1    -6     1     1     8     8     0
binds:for others             6     0     9    -4   -15   -22     0
binds:in vain                1     8   -10     3    12    18     0
binds:known                 -9   -11   -12    -8   -10   -11     0
binds:known anew             1     2    -4    -1     6     0     0
binds:new                   10    11    13     1    -8     3     0
binds:read                   4     6    25    13    26    -1     0
binds:read before only     -11     5    -8     1    -7     4     0
blanks:0                    -2    -6    -4    -3    -9   -12   -22
blanks:1                    14    15    10     9     0    -1   -15
blanks:2                    28    21    19    13    34    32    40
blanks:before the block    -11   -27   -10    -3   -21    -6    -2
blanks:behind                0     1     2     1     3     3    -2
block:holds:class          -17    -9     0     0   -35    -2   -13
block:holds:else             7     4     9     0    24    18     0
block:holds:function       -29   -23   -15    -7   -60   -30     0
block:holds:if             -24   -15     0   -14    -3    -7     4
block:holds:loop            -1     2    -5    -1    16     3     0
block:holds:method           0     0     0     0     0     0    39
block:holds:with           -22   -23   -22   -45    22     1     0
block:in:else                6     3     3     6    26     0     8
block:in:function            1    -1    -1     0    21     0    14
block:in:if                  8    10    17    10    21     0    12
block:in:loop                3     4     7     9    16     0     0
block:in:with                5     1     9     5    12     0     0
block:jumps                 77    44    27    25    77    59     0
block:targets unread         0     0    -9     0     0     0     0
block:updates                3    -2    13    11    -2    -1     0
branch:binds               -26   -26     0     0     0     0     0
branch:binds again           0    -2     0     0     0     0     0
branch:complete             11    14     0     0     0     0     0
branch:misses              -12   -19     0     0     0     0     0
branch:reads                -2    12     0     0     0     0     0
carried:both                 6     6     0     0     0     0     0
changes:changed              5    -5     8     3    -7     0     0
clause:alike                22     0     0     0     0     0     0
clause:unlike                1     1    -5     0     2    -1     0
comment                      7     9     5     7     1    -6    -2
def:called on self          14     6    27     6    -3    17   -13
def:decorated               -5    13     8     9    22    24    15
def:ends one                 3    -2    14    22    18     4   -24
def:method                  25    26    41    24   -10    77   -64
def:read later              12     5     6    15   -23   -25    22
def:read soon               -7   -18   -10   -17   -31   -33    -3
def:reads locals             0     0     0     0   -19    12     0
def:reads parameters         0     0     0     0   -35   -32     0
def:special                  9     3     6     0     0    14   -17
follows:                     0     0     0     0    -8     8     6
follows:class                0     0     0     0     1    -1     3
follows:def                  0     0     0     0   -12    -9     7
follows:method               0     0     0     0     9    -8   -18
kind:assign                 -8   -10    -9   -18     7    14   -29
kind:attribute               1     2    11     3     0    -6     2
kind:augmented             -12   -11   -19   -13     5    -1     0
kind:call                   -5    -8    -9   -14     2    -9     6
kind:case                    0    18     3   -28     0     0     0
kind:class                   6    -1    10     6     8    23    22
kind:decorator             -13    15     8    10    20    32     9
kind:def                    13    16    35    12    27     9     8
kind:elif                   23     1    -5     0     2    -1     0
kind:else                   28    -6   -12    -6   -12   -10     1
kind:except                  3    -1   -12    40   -30   -10     0
kind:finally                 8    10     9    38   -22    -3     0
kind:for                    -3     1   -13    -7     0    -4    -1
kind:if                      6     0     4    -1     2     0     1
kind:import                -22    -6     1   -11    -9    -6     1
kind:jump                  -29   -14   -19    -2     0     0     0
kind:other                 -12   -14     0    -9    -8    -4    -8
kind:raise                   5    -5     9    13   -16   -17     0
kind:return                  5     3    20     3   -13   -16     9
kind:super                  22     9     4     0     3   -17     0
kind:text                    5     0     0     0     1     5   -29
kind:try                     0     4     5   -17     7     2     3
kind:while                  -2    -7    -3    -1     4     0     0
kind:with                   -2     6     2    11    11    10     3
kind:yield                 -17    -2   -14    -6    -2    -1     0
later:own                  -24   -38   -37    -8   -23   -16     0
later:targets              -10     0   -44   -22   -11   -28     0
later:targets soon         -14     0   -29    -2    -6   -17     0
needed:first                -8     7     0   -31     0     0     0
needed:for a jump            0     0   -50     0     0     0     0
needed:for a jump too        0     0    -6     0     0     0     0
needed:for a return          0     0     0     0   -11   -18     0
needed:only                -37     0     0   -47     0     0     0
needed:too                   2     9     0    -1     0     0     0
next:assign                  2     2    -3     3    -6     0    -4
next:attribute               2    -2     5     8    10    -5     6
next:augmented               0     1    -4    -4    -3    12     3
next:call                   -2    -2    -1    -3     0    -5     5
next:case                    0    -4     0     0     0     0     0
next:elif                  -12   -10     7    -5     0     0     0
next:else                   -3    -7    -2    -3     3     0     0
next:ends                    3     1     2    -2    -2     1    -3
next:ends:return            32     2    24    12    -8   -13     6
next:except                  7     2    -8    -3     2     0     0
next:finally                 2    -2     5    -6     0     0     0
next:for                     5     9     5    -6    -4   -12     4
next:goes on               -14    -9     0    -5    -7    -4     2
next:if                      4     5    -4     2    -5    -1     0
next:import                  5     6     2    -1     1     8     2
next:jump                   -4    -2     0    14     0     0     0
next:other                  -4     2    -3    -2     3    -4     0
next:raise                  -8   -11     3    -1   -20   -16    -2
next:return                 -4    -3     1    -1   -12     0    -6
next:super                  -5     4     0     0     0    -3    -2
next:text                    5    12     9     2    14    22    -3
next:try                     2    10     1     1    -2    -5    -1
next:while                   4   -13     0    -1     4    -1     0
next:with                    7     9     0    13     3     0     0
next:yield                  -5    -5   -10    -3     1     0     0
opener:same                 17     0    31    -1    27     9    22
over:each                    1     0     3    -6    11    -2    -1
over:enumerate              -2     4   -11     7    -1     0     0
over:range                   1   -12     4   -13    -1     0     0
over:zip                    -3    10    -8     5    -8     0     0
previous:alike              -7     0    -1     1    -8   -19    -4
previous:read               -3    -2    -4     3   -27   -15    -4
previous:same              -11    -2    -3     0    -1    -4    -1
reads:also                   2    -1     3    -2     8    12     0
reads:asked                 -1     0     2    -3     2     0     0
reads:changed                5    -2   -10   -12     5    -2     0
reads:denied                 9     0     0     0     0     0     0
reads:filled                17     8    19     8     0     0     0
reads:guarded              -13     0     0     0     0     0     0
reads:nothing of it          0     5    10     3     8    12     0
reads:own                  -26   -27   -38   -10   -11    -8     0
reads:targets              -25     0   -39   -18     2    -3     0
rest:1                       3     1     2    -2    -2     1    -3
rest:2                       4     0     3     6     4    -1     2
rest:3                       0     1     5     4    -6    -3     0
rest:4                      -6     1    -4    -6    -7    -7     0
returns:changed             10    -1    15    -3    -1     0     0
second:assign                4     8    -1    12    -2    -3    -1
second:attribute            -6     0     1    -6    -2     2     0
second:augmented             6     2     2    -3     6     0     0
second:call                 -1     6     5     9    16    -4     2
second:case                  0     7     0    -9     0     0     0
second:class                -2    -5     3     0     3    10    -5
second:decorator            21     3     2     2    -1     9     1
second:def                  -1    -5    -2    -6    -9     0     8
second:elif                 -3     4     3    -7     3     0     0
second:else                 -6     7    -6    -8    -3    -2     0
second:except               -6     1    -5     7    -8    -2     0
second:finally              12   -10     3    15    -6     0     0
second:for                   4     1     0     5    -5    -1     0
second:if                   -1     5    -3     0    -3     2     0
second:import               -8    -7     4    -7    -4    -6     0
second:jump                  0    -8    -6    -1     0     0     0
second:other                 3     1     2     1    -4    -3   -10
second:raise               -17   -12     2     4    -3   -11     0
second:return               -4     8    10     3     8    -2     3
second:super                13    -6     1     0     0    -4     0
second:text                  0     0     0     0     0     0     4
second:try                   0    -3    -4    -4     4    -1     0
second:while                 0     3    -1     5     0     0     0
second:with                  4     5    -1    -4     0    12     0
second:yield                -1    -2    -5    -5     0     0     0
self                         5     3     5     0    -1   -15     0
size:1                      10     3     4     4   -11    -5     2
size:2                       1     3     3     5     2    -2     3
size:3                       0     1     1     0    -4     3     3
size:4-7                    -2    -1     0     0    -1     1     2
size:8-                     -8    -3    -1    -6     3    -7   -12
test:BinOp:1                -7     0     0     0     0     0     0
test:BinOp:1:opens           3     0     0     0     0     0     0
test:BoolOp                  6     0     0     0     0     0     0
test:BoolOp:1               -5     0     0     0     0     0     0
test:BoolOp:1:opens         -4     0     0     0     0     0     0
test:Call                    7     0     0     0     0     0     0
test:Call:1                 -4     0     0     0     0     0     0
test:Eq                      2     0     0     0     0     0     0
test:Eq:1                   -8     0     0     0     0     0     0
test:Eq:1:opens             -7     0     0     0     0     0     0
test:Gt                      5     0     0     0     0     0     0
test:Gt:1                   -3     0     0     0     0     0     0
test:Gt:1:opens             -7     0     0     0     0     0     0
test:GtE                     5     0     0     0     0     0     0
test:GtE:1                 -11     0     0     0     0     0     0
test:GtE:1:opens           -11     0     0     0     0     0     0
test:In                     13     0     0     0     0     0     0
test:In:1                   -4     0     0     0     0     0     0
test:Is                     -2     0     0     0     0     0     0
test:Is:1                  -14     0     0     0     0     0     0
test:Is:1:opens             -7     0     0     0     0     0     0
test:IsNot                   5     0     0     0     0     0     0
test:IsNot:1                 2     0     0     0     0     0     0
test:Lt                     15     0     0     0     0     0     0
test:Lt:1                   -5     0     0     0     0     0     0
test:Lt:1:opens             -4     0     0     0     0     0     0
test:LtE:1                 -19     0     0     0     0     0     0
test:LtE:1:opens             3     0     0     0     0     0     0
test:NamedExpr:1            -9     0     0     0     0     0     0
test:NamedExpr:1:opens      -6     0     0     0     0     0     0
test:NotEq                  13     0     0     0     0     0     0
test:NotEq:1                -3     0     0     0     0     0     0
test:NotEq:1:opens          -3     0     0     0     0     0     0
test:NotIn                   7     0     0     0     0     0     0
test:NotIn:1                 2     0     0     0     0     0     0
test:NotIn:1:opens          -3     0     0     0     0     0     0
test:Subscript               4     0     0     0     0     0     0
test:Subscript:1            -2     0     0     0     0     0     0
test:Subscript:1:opens     -18     0     0     0     0     0     0
test:answered               11     0     0     0     0     0     0
test:flag                    8     0     0     0     0     0     0
test:flag:1:opens           -5     0     0     0     0     0     0
test:parameter               4     0     0     0     0     0     0
test:parameter:1:opens       6     0     0     0     0     0     0
tied:inner                  -5    -8    -1    -3   -12   -14     0
tied:nothing                -5    -4    -4    -7     6    -9     0
tied:outer                   1    -6     2     2    14    14     0
"""


def _weights() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {column: {} for column in COLUMNS}
    fitted = [line.rsplit(maxsplit=len(COLUMNS)) for line in _TABLE.strip().split("\n")]
    rows = {name: tuple(map(int, weights)) for name, *weights in fitted}
    for name, weights in (*rows.items(), *GIVEN.items()):
        for column, weight in zip(COLUMNS, weights, strict=True):
            if weight:
                found[column][name] = weight / 10
    return found


WEIGHTS = _weights()
