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
    "tied:nothing opens": (-30, -30, 0, 0, 0, 0, 0),
}

_TABLE = """
alone:assert               -20     4    -8     0    -1     0     0
alone:assign                 2     2    -3    18   -13    -9     8
alone:attribute              6     3    -2    10     2    10     0
alone:augmented              7    -2     3     1    -1     0     0
alone:call                   6     8     4    10    14     8     0
alone:case                   0     0     0    -6     0     0     0
alone:class                -13     2     0     0    -3     0    -6
alone:def                    4    -3    -1     0    -3    -2     0
alone:for                    4     2    13     1    16     2     0
alone:if                   -20    -8     4   -15    -9    -7     0
alone:import               -17   -22     0   -17   -17    -4     0
alone:jump                   7     4     0     0     0     0     0
alone:match                  0     0     3     0     0     0     0
alone:other                 20     1     2     3     9     5    18
alone:raise                 20    13     0     0     1     1     0
alone:return                16    11     0    10    12    14     0
alone:super                  1     0     0     3     0    -1     0
alone:text                  -2     0     0     0   -36   -21   -15
alone:try                  -38   -29   -27   -41    -9    -1     0
alone:while                 -2    -9   -22    -9     4     1     0
alone:with                  25    15    22    23    28     3     0
alone:yield                  5    13    15     6     0     0     0
any                         -3     1     7     1    -7    -9     0
before:alike                 1    -6    -1     2    -2     8     1
before:same                 -6   -16    -7     2     9     4     5
binds:asked                 -2     0     0     0     0     0     0
binds:bound                  6    -7     7     0    -6    -1     0
binds:constant               3    -6     1     5     7     6     0
binds:for others             7     0     9    -2   -12   -19     0
binds:in vain                2     8   -10     2    11    18     0
binds:known                 -9   -11   -12    -7   -12    -8     0
binds:known anew             0     1    -4    -3     6     0     0
binds:new                   10    11    13     2    -9    -1     0
binds:read                   4     6    25    12    26    -1     0
binds:read before only     -10     5   -10    -1    -8     3     0
blanks:0                    -2    -6    -4    -4    -9   -12   -23
blanks:1                    14    15     9    10     0    -3   -15
blanks:2                    28    20    19    12    31    32    40
blanks:before the block    -12   -26   -11    -3   -19    -7    -2
blanks:behind                0     0     2     2     1     0    -1
block:begins                -2   -18   -17   -18   -14    -5     5
block:holds:class          -12   -10     0     0   -37    -1   -15
block:holds:else            13     5     9     3    23    17     0
block:holds:function       -28   -21   -15    -7   -59   -29     0
block:holds:if              -8    -7     0    -6    -3    -8     4
block:holds:loop             2     5    -6     4    11     2    -1
block:holds:method           0     0     0     0     0     0    36
block:holds:with           -24   -15   -21   -37    17     1     0
block:in:else                7     2     2     6    26     0     9
block:in:function            1    -2     0    -1    19     0    11
block:in:if                  8     9    16     7    23     0    11
block:in:loop                3     4     8     6    15     0     0
block:in:with                4    -2     6     4    12     0     0
block:jumps                 68    39    25    24    70    54     0
block:targets unread         0     0   -10     0     0     0     0
block:updates                6    -1    13    10     0    -2     0
branch:binds               -25   -26     0     0     0     0     0
branch:binds again           2    -2     0     0     0     0     0
branch:complete              9    14     0     0     0     0     0
branch:misses              -10   -19     0     0     0     0     0
branch:reads                -2    12     0     0     0     0     0
carried:both                 5     7     0     0     0     0     0
changes:changed              5    -4     7     4    -6     0     0
clause:alike                20     0     0     0     0     0     0
clause:branch alike outside    11     4    -3     6   -12    -2     0
clause:branch alike        53    27    12    13     0     0     0
clause:branch taken        -28   -19   -23   -15    -8    -2     0
clause:branch unlike        -1     0    -6     7   -17   -12     1
clause:unlike                1     2    -3    -1     6    -1     0
comment                      7     8     5     7     2    -7    -2
def:called on self          13     7    27     5    -2    17   -13
def:decorated               -4    13     7     9    20    21    15
def:ends one                 0    -3    13    20    14     2   -23
def:method                  26    25    40    22   -12    78   -64
def:read later              13     6     5    15   -21   -22    21
def:read soon               -8   -16    -9   -17   -26   -30    -4
def:reads locals             0     0     0     0   -20    10     0
def:reads parameters         0     0     0     0   -34   -31     0
def:special                  9     2     6     0     0    14   -17
follows:                     0     0     0     0    -7     6     7
follows:class                0     0     0     0     2     3     3
follows:def                  0     0     0     0   -11    -9     7
follows:method               0     0     0     0     9    -9   -17
kind:assert                -10   -14    -3    -3    -1     0     0
kind:assign                 -8   -10   -10   -16     5    14   -27
kind:attribute               1     4    11     5     0    -9     2
kind:augmented             -11   -12   -20   -13     5    -1     0
kind:call                   -4    -7   -10   -10     0    -9     6
kind:case                    0    21     2   -27     0     0     0
kind:class                   6    -1    10     6     7    21    22
kind:decorator             -11    15     7    11    18    30    10
kind:def                    13    15    34    14    24     9     8
kind:elif                   20     2    -3    -1     6    -1     0
kind:else                   25    -8    -2   -10    -2    -6     1
kind:except                 10     2    -5    34   -18    -6     0
kind:finally                 8    13    12    31   -15    -2     0
kind:for                    -1     2   -13    -5    -2    -3    -2
kind:if                      4    -1     3     2    -2    -2     1
kind:import                -21    -6     1    -7    -9    -7     1
kind:jump                  -28   -13   -22    -5     0     0     0
kind:other                  -8    -6     0    -8    -8    -2    -4
kind:raise                   1    -6     8    13   -17   -12     0
kind:return                  2     3    20     4   -13   -18     8
kind:super                  20     9     4     0     3   -15     0
kind:text                    6     0     0     0     1     3   -33
kind:try                     1     3     5   -15     3     1     3
kind:while                  -3    -8    -3    -3     4     0     0
kind:with                   -1     5     1    10     6     6     3
kind:yield                 -15    -3   -17    -7    -2    -1     0
later:own                  -23   -36   -35   -11   -20   -17     0
later:targets               -8     0   -43   -22   -11   -25     0
later:targets soon         -13     0   -28     1    -7   -11     0
needed:first                -7     5     0   -31     0     0     0
needed:for a jump            0     0   -50     0     0     0     0
needed:for a jump too        0     0    -6     0     0     0     0
needed:for a return          0     0     0     0    -9   -20     0
needed:only                -36     0     0   -45     0     0     0
needed:too                   2     8     0    -2     0     0     0
next:assert                 -6    -5    -9     0     3     0     0
next:assign                  2     2    -1     3    -4     2    -3
next:attribute               2    -2     4     6     8    -6     6
next:augmented              -1     2    -2    -2    -2     6     3
next:call                    0    -3     0    -4    -1    -4     6
next:case                    0    -3     0     0     0     0     0
next:elif                  -11    -9     7    -5     0     0     0
next:else                   -3    -7    -1    -3     2     0     0
next:ends                    2     1     2    -3    -1     2    -3
next:ends:return            33     3    24    11    -8   -16     7
next:except                  7     3    -7    -2     3     0     0
next:finally                 1    -2     6    -7     0     0     0
next:for                     5    10     5    -4    -3    -9     4
next:goes on               -12    -9    -1    -4    -8    -3     1
next:if                      4     5    -3     3    -2    -2     1
next:import                  7     6     2     1     2     6     2
next:jump                   -4    -2    -1    14     0     0     0
next:other                  -3     5     0    -5     3    -3    -1
next:raise                  -7   -12     2    -3   -18   -11    -2
next:return                 -4    -3     3    -2    -9    -4    -7
next:super                  -5     5     1     0     0    -2    -2
next:text                    7    10     9     6    14    21    -3
next:try                     1    10     1    -1    -3    -4    -1
next:while                   3   -12     0    -2     5    -1     0
next:with                    6     7     1    12    -3     0     0
next:yield                  -5    -6   -12    -3     0     0     0
opener:same                 16     1    31     1    24     9    22
over:each                    0     1     2    -6     9    -2    -2
over:enumerate               0     3   -12     8    -1     0     0
over:range                   1    -8     4   -12    -2     0     0
over:zip                    -3     7    -8     5    -8     0     0
previous:alike              -7     0    -1     0   -10   -23   -11
previous:read                0     0    -2     1   -29   -14    -4
previous:same              -10    -3    -3     0    -4    -4    -1
reads:also                   2    -1     3    -3     9     8     0
reads:asked                 -1     0     2    -3     1     0     0
reads:changed                5    -1    -9   -14     4    -1     0
reads:denied                 8     0     0     0     0     0     0
reads:filled                17     6    19     9     0     0     0
reads:guarded              -13     0     0     0     0     0     0
reads:nothing of it          1     5     9     4     9    13     0
reads:own                  -27   -28   -37   -11   -11    -7     0
reads:targets              -26     0   -40   -17     3    -4     0
rest:1                       2     1     2    -3    -1     2    -3
rest:2                       2    -1     3     6     5     1     2
rest:3                      -1     1     5     4    -4    -4     0
rest:4                      -7     1    -4    -7    -7    -9     1
returns:changed             10    -2    15    -2    -1     0     0
second:assert               -2     2     0    -3     0     0     0
second:assign                3     6    -2     7    -3    -1    -2
second:attribute            -8    -3     1    -6    -3     0     0
second:augmented             2     1     1    -4     5     0     0
second:call                 -4     3     3     5    14    -3     3
second:case                  0     6     0    -6     0     0     0
second:class                 1    -5     2     0     4     9    -1
second:decorator            21     2     1     3     1     8     2
second:def                   1    -4    -3    -5    -2     1     6
second:elif                  3     3     6    -3     4     0     0
second:else                 -1    10    -7    -1    -1    -1     0
second:except               11     6     7    18    -5    -1     0
second:finally              12    -3     4    11    -4     0     0
second:for                  -1     1    -2    -1    -4    -1     0
second:if                   -1     4    -4    -3    -6     0     0
second:import                0    -7     3    -1     1    -6     0
second:jump                 -3    -8    -9    -4     0     0     0
second:other                -3    -5     2     2    -3    -1    -7
second:raise               -18   -12     1     4    -3    -7     0
second:return               -5     8    10     0     2    -2     2
second:super                13    -6     1     0     0    -5     0
second:text                  0     0     0     0     0     0     2
second:try                  -4    -2    -4    -5     3    -1     0
second:while                -4     3     0     2     0     0     0
second:with                  1     5    -1    -8    -6     7     0
second:yield                -3    -3    -8    -6     0     0     0
self                         5     2     6     0    -1   -19     0
size:1                       9     2     3    -2    -8    -3     5
size:2                       0     3     3     5     2    -2     4
size:3                      -1     0     1     1    -4     3     3
size:4-7                    -3    -1     1     2    -1     1     1
size:8-                     -7    -3    -1    -5     3    -8   -13
test:BinOp:1                -7     0     0     0     0     0     0
test:BinOp:1:opens           5     0     0     0     0     0     0
test:BoolOp                  6     0     0     0     0     0     0
test:BoolOp:1               -4     0     0     0     0     0     0
test:BoolOp:1:opens         -2     0     0     0     0     0     0
test:Call                    7     0     0     0     0     0     0
test:Call:1                 -3     0     0     0     0     0     0
test:Eq                      2     0     0     0     0     0     0
test:Eq:1                   -7     0     0     0     0     0     0
test:Eq:1:opens             -5     0     0     0     0     0     0
test:Gt                      6     0     0     0     0     0     0
test:Gt:1                   -3     0     0     0     0     0     0
test:Gt:1:opens             -4     0     0     0     0     0     0
test:GtE                     5     0     0     0     0     0     0
test:GtE:1                  -9     0     0     0     0     0     0
test:GtE:1:opens            -9     0     0     0     0     0     0
test:IfExp                   2     0     0     0     0     0     0
test:In                     12     0     0     0     0     0     0
test:In:1                   -3     0     0     0     0     0     0
test:In:1:opens              3     0     0     0     0     0     0
test:Is                     -3     0     0     0     0     0     0
test:Is:1                  -12     0     0     0     0     0     0
test:IsNot                   4     0     0     0     0     0     0
test:IsNot:1                 4     0     0     0     0     0     0
test:IsNot:1:opens           3     0     0     0     0     0     0
test:Lt                     15     0     0     0     0     0     0
test:Lt:1                   -4     0     0     0     0     0     0
test:Lt:1:opens             -2     0     0     0     0     0     0
test:LtE                    -3     0     0     0     0     0     0
test:LtE:1                 -19     0     0     0     0     0     0
test:NamedExpr:1            -7     0     0     0     0     0     0
test:NamedExpr:1:opens      -2     0     0     0     0     0     0
test:NotEq                  12     0     0     0     0     0     0
test:NotIn                   9     0     0     0     0     0     0
test:NotIn:1                 3     0     0     0     0     0     0
test:NotIn:1:opens          -3     0     0     0     0     0     0
test:Subscript               3     0     0     0     0     0     0
test:Subscript:1:opens     -18     0     0     0     0     0     0
test:answered               12     0     0     0     0     0     0
test:flag                    7     0     0     0     0     0     0
test:flag:1                  2     0     0     0     0     0     0
test:flag:1:opens           -4     0     0     0     0     0     0
test:parameter               4     0     0     0     0     0     0
test:parameter:1:opens       7     0     0     0     0     0     0
tied:inner                  -6    -8    -1    -3   -14   -13     0
tied:nothing                -4    -4    -3    -8     4   -10     0
tied:outer                   1    -6     2     2    13    16     0
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
