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
found = {}


def place(table):
    return f"{url}/{table}"


def read_deltalake():
    from deltalake import DeltaTable
    import pyarrow.compute as compute

    counts = {}
    for table, column in columns.items():
        delta = DeltaTable(place(table), storage_options=options)
        protocol = delta.protocol()
        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2), (table, protocol)
        data = delta.to_pyarrow_table()
        total = compute.sum(data[column]).as_py() or 0 if column else 0
        counts[table] = [data.num_rows, total]
        partitions = delta.metadata().partition_columns
        if partitions:
            # Partitions are pruned: of the files only those of one value are asked for.
            value = delta.partitions()[0][partitions[0]]
            files = delta.file_uris(file_pruning_predicate=[(partitions[0], "=", value)])
            assert 0 < len(files) <= len(delta.file_uris()), table
            assert not delta.file_uris(file_pruning_predicate=[(partitions[0], "=", "nobody")]), table
    return counts


def read_polars():
    import polars

    counts = {}
    for table, column in columns.items():
        frame = polars.scan_delta(place(table), storage_options=options)
        total = polars.col(column).sum() if column else polars.lit(0)
        row = frame.select(polars.len().alias("n"), total.alias("s")).collect().row(0)
        counts[table] = [row[0], row[1] or 0]
    return counts


def read_duckdb():
    import duckdb
    import importlib.util

    if url.startswith("az://") and ":10000/" not in store:
        raise ImportError("emulator at port 10000, the only one where its delta extension looks for it")
    folder = tempfile.mkdtemp()
    try:
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
        counts = {}
        for table, column in columns.items():
            total = f"coalesce(sum({column}), 0)" if column else "0"
            rows, total = db.execute(f"select count(*), {total} from delta_scan('{place(table)}')").fetchone()
            counts[table] = [rows, int(total)]
        return counts
    finally:
        shutil.rmtree(folder)


for name, read in [("deltalake", read_deltalake), ("polars", read_polars), ("duckdb", read_duckdb)]:
    try:
        found[name] = read()
    except ImportError as missing:
        print(f"SKIPPED: {name} does not read {url.split('://')[0]}: there is no {missing}", file=sys.stderr)
print(json.dumps(found))
