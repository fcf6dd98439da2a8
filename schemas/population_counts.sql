-- Written by: extract/pull_requests.rs: counted while a whole month of completed pull requests is listed.
CREATE TABLE population_counts (
    repository_id  STRING    NOT NULL COMMENT '-> repositories.repository_id',
    ref_name       STRING    NOT NULL COMMENT 'target, full ref',
    closed_month   STRING    NOT NULL COMMENT 'month of closedDate, YYYY-MM, UTC',
    listed_count   BIGINT    NOT NULL COMMENT 'distinct completed pull requests of one complete listing of that month',
    counted_at     TIMESTAMP NOT NULL COMMENT 'upper bound of that listing, UTC',
    is_final       BOOLEAN   NOT NULL COMMENT 'true once listed again later than sync.recheck after the end of the month',
    _run_id        STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at     TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash          STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, repository_id, ref_name, closed_month)
)
COMMENT 'One row per target branch and month of closing.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name')
TBLPROPERTIES ('adolake.write' = 'merge')
