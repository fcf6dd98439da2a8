import json
import os
import shutil
import sys
import tempfile

task = json.loads(sys.argv[1])
store, url, columns = task["store"], task["url"], task["columns"]
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
if url.startswith("az://"):
    options = {
        "azure_storage_account_name": "devstoreaccount1",
        "azure_storage_account_key": KEY,
        "azure_storage_endpoint": store,
        "azure_allow_http": "true",
    }
elif url.startswith("s3://"):
    options = {
        "aws_access_key_id": "S3RVER",
        "aws_secret_access_key": "S3RVER",
        "aws_endpoint": store,
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }
else:
    options = {}
folder = tempfile.mkdtemp()


def place(table):
    return f"{url}/{table}"


# Each opens an engine and returns a function that counts the rows of a table and adds up a column; of one partition
# only, where a column and its value are given.


def open_deltalake():
    from deltalake import DeltaTable
    import pyarrow.compute as compute

    def count(table, column, where=None):
        delta = DeltaTable(place(table), storage_options=options)
        protocol = delta.protocol()
        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2), (table, protocol)
        data = delta.to_pyarrow_table(filters=[(where[0], "=", where[1])] if where else None)
        return [data.num_rows, compute.sum(data[column]).as_py() or 0 if column else 0]

    return count


def open_polars():
    import polars

    def count(table, column, where=None):
        frame = polars.scan_delta(place(table), storage_options=options)
        if where:
            frame = frame.filter(polars.col(where[0]) == where[1])
        total = polars.col(column).sum() if column else polars.lit(0)
        row = frame.select(polars.len().alias("n"), total.alias("s")).collect().row(0)
        return [row[0], row[1] or 0]

    return count


def open_duckdb():
    import duckdb
    import importlib.util

    if url.startswith("az://") and ":10000/" not in store:
        raise ImportError("emulator at port 10000, the only one where its delta extension looks for it")
    inside = os.path.join(folder, f"v{duckdb.__version__}", "linux_amd64")
    os.makedirs(inside)
    for name in ["delta", "azure", "httpfs"]:
        package = importlib.util.find_spec(f"duckdb_extension_{name}")
        if package is None:
            raise ImportError(f"duckdb-extension-{name}")
        for root, _, files in os.walk(os.path.dirname(package.origin)):
            for file in files:
                if file == f"{name}.duckdb_extension":
                    shutil.copy(os.path.join(root, file), inside)
    db = duckdb.connect(config={"extension_directory": folder, "allow_unsigned_extensions": "true"})
    db.execute("load delta")
    if url.startswith("az://"):
        db.execute("load azure")
        text = f"AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint={store};DefaultEndpointsProtocol=http"
        db.execute(f"create secret s (type azure, connection_string '{text}')")
    elif url.startswith("s3://"):
        db.execute("load httpfs")
        host = store.split("://")[1]
        db.execute(
            "create secret s (type s3, key_id 'S3RVER', secret 'S3RVER', region 'us-east-1', "
            f"endpoint '{host}', url_style 'path', use_ssl false)"
        )

    def count(table, column, where=None):
        total = f"coalesce(sum({column}), 0)" if column else "0"
        text = f"select count(*), {total} from delta_scan('{place(table)}')"
        if where:
            text += f" where {where[0]} = '{where[1]}'"
        rows, total = db.execute(text).fetchone()
        return [rows, int(total)]

    return count


def answer(count):
    if "where" not in task:
        return {table: count(table, column) for table, column in columns.items()}
    # Of one table all files but those of one partition are gone.
    (table, column), = columns.items()
    found = count(table, column, task["where"])
    try:
        count(table, column)
    except Exception:
        return found
    return "all of the table is read without its files"


found = {}
try:
    for name, open_engine in [("deltalake", open_deltalake), ("polars", open_polars), ("duckdb", open_duckdb)]:
        try:
            count = open_engine()
        except ImportError as missing:
            print(f"SKIPPED: {name} does not read {url.split('://')[0]}: there is no {missing}", file=sys.stderr)
        else:
            found[name] = answer(count)
finally:
    shutil.rmtree(folder)
print(json.dumps(found))
