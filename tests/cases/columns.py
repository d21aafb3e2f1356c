# SPDX-License-Identifier: GPL-2.0-only
"""columns.py KVIEW VIEW [OPTION...]: each column that `kview cat` is asked for alone is as among all."""

import csv
import io
import json
import subprocess
import sys

# These move by themselves, even where nothing runs.
MOVES = {("task_file", "detail")}


def of(text, column):
    return [json.loads(line)[column] for line in text.split("\n")[:-1]]


def main(kview, view, *options):
    def said(*args):
        out = subprocess.run([kview, *args], stdout=subprocess.PIPE, check=True, timeout=60).stdout
        return out.decode(errors="surrogateescape")

    schema = [line.split("\t") for line in said("schema", view).splitlines()]
    keys = [fields[0] for fields in schema if fields[4] == "key"]

    def table(*columns):
        """Rows by their keys; of equal keys the last."""
        text = said("cat", "-F", "csv", *options, *(("-c", ",".join(columns)) if columns else ()), view)
        return {tuple(row[key] for key in keys): row for row in csv.DictReader(io.StringIO(text))}

    compared, before = 0, table()
    for column in (fields[0] for fields in schema):
        if column in keys or (view, column) in MOVES:
            continue
        for _ in range(5):
            alone, after = table(*keys, column), table()
            still = [key for key in before if key in after and before[key][column] == after[key][column]]
            wrong = {key: (alone.get(key, {}).get(column), before[key][column]) for key in still
                     if alone.get(key, {}).get(column) != before[key][column]}
            before = after
            if not wrong:
                break
        assert not wrong, (column, wrong)
        compared += len(still)
    # Without its keys the last one has as many rows, and the same values.
    rows = ("-F", "json", *options, view)
    for _ in range(5):
        before, bare, after = said("cat", *rows), said("cat", "-c", column, *rows), said("cat", *rows)
        if before == after:
            break
    if before == after:
        assert of(bare, column) == of(before, column), column
    print(f"{view}: {compared} values of {len(schema) - len(keys)} columns")
    assert compared


main(*sys.argv[1:])
