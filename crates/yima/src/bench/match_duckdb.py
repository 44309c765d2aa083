# The same match in DuckDB: reads the three lists, joins, writes the breaks down. Prints microseconds and peak KiB.
import os, resource, sys, time

import duckdb

begun = time.monotonic()
folder = sys.argv[1]
db = duckdb.connect(config={"temp_directory": folder})
for name in ["ledger", "biller", "bank"]:
    db.execute(f"""
        CREATE VIEW {name} AS SELECT reference, CAST(amount * 100 AS BIGINT) AS amount
        FROM read_csv('{folder}/{name}.csv', header = true,
            columns = {{'reference': 'VARCHAR', 'amount': 'DECIMAL(18,2)', 'date': 'VARCHAR'}})
        WHERE reference <> 'TOTAL'""")
parts = []
for name in ["biller", "bank"]:
    db.execute(f"""CREATE TEMP TABLE {name}_by AS
        SELECT reference, any_value(amount) AS amount, count(*) AS times FROM {name} GROUP BY reference""")
    parts.append(f"""
        SELECT '{name}' AS source, CASE WHEN t.reference IS NULL THEN 'missing_there'
            WHEN l.reference IS NULL THEN 'missing_here' ELSE 'amount_differs' END AS code,
            coalesce(l.reference, t.reference) AS reference
        FROM ledger l FULL JOIN {name}_by t ON l.reference = t.reference
        WHERE l.reference IS NULL OR t.reference IS NULL OR l.amount <> t.amount
        UNION ALL SELECT '{name}', 'duplicate', reference FROM {name}_by, range(1, 1000) AS r(n) WHERE times > 1 AND n < times""")
db.execute(f"COPY ({' UNION ALL '.join(parts)}) TO '{folder}/found.csv' (HEADER false)")
took = int((time.monotonic() - begun) * 1_000_000)
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
