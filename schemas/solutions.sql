-- Written by: checks/settings.rs: the configuration, resolved.
CREATE TABLE solutions (
    run_id          STRING    NOT NULL COMMENT 'the check run; -> check_runs.run_id',
    repository_id   STRING    NOT NULL COMMENT '-> repositories.repository_id',
    kind            STRING    NOT NULL COMMENT 'sast | integration_tests | dependency_checks',
    solution_index  INT       NOT NULL COMMENT 'position in the list, from 0',
    solution        STRING    NOT NULL COMMENT 'as configured',
    selector        STRING    NOT NULL COMMENT 'any (pipeline or status) | pipeline | status | job',
    pattern         STRING    NOT NULL COMMENT 'what follows the prefix, lower case, backslashes as slashes, without a leading slash',
    is_glob         BOOLEAN   NOT NULL COMMENT 'true where the pattern holds a *',
    paths_json      STRING             COMMENT 'path globs as a JSON list, in order; null = applies to every pull request',
    _run_id         STRING    NOT NULL COMMENT 'run that wrote this row',
    _synced_at      TIMESTAMP NOT NULL COMMENT 'when this row last changed, UTC',
    _hash           STRING    NOT NULL COMMENT 'hash of the content, decides whether a merge writes the row',
    PRIMARY KEY (organization, run_id, repository_id, kind, solution_index)
)
COMMENT 'One row per check run, repository, kind and selector.'
PARTITIONED BY (organization STRING NOT NULL COMMENT 'Azure DevOps organization name', run_month STRING NOT NULL COMMENT 'month in which the run started, YYYY-MM')
TBLPROPERTIES ('adolake.write' = 'append')
