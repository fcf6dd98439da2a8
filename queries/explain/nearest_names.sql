-- id: nearest_names
-- title: Names that ran and are near to a solution that nothing fits
-- about: pull_request
-- checks: pull_request_dependency_check_passed, pull_request_integration_tests_passed, pull_request_sast_passed
-- grain: one row per verdict and solution that lacks a run, status or job and has near names
-- reads: explained_verdicts, pull_request_evidence, solution_selectors, pipeline_names, pull_request_statuses, pipeline_run_jobs, pipeline_runs
-- params: organization text; repository_id text; pull_request_id bigint; profile text

with
-- one row per verdict that is about solutions
verdicts as (
    select verdicts.check_id, kinds.kind
    from explained_verdicts as verdicts
    join (values
        ('pull_request_sast_passed', 'sast'),
        ('pull_request_integration_tests_passed', 'integration_tests'),
        ('pull_request_dependency_check_passed', 'dependency_checks')
    ) as kinds (check_id, kind) on kinds.check_id = verdicts.check_id
    where verdicts.pull_request_id = $pull_request_id and verdicts.status in ('fail', 'unknown')
),
-- one row per solution that nothing fits; pattern without what stands for anything
wanted as (
    select
        selectors.kind, selectors.solution_index, selectors.solution, selectors.selector, selectors.project_id,
        trim(both '/' from replace(selectors.pattern, '*', '')) as pattern
    from solution_selectors as selectors
    join pull_request_evidence as evidence
        on evidence.organization = selectors.organization
        and evidence.repository_id = selectors.repository_id
        and evidence.kind = selectors.kind
        and evidence.solution_index = selectors.solution_index
    where evidence.organization = $organization
        and evidence.pull_request_id = $pull_request_id
        and evidence.profile = $profile
        and evidence.reason_code in ('NOT_RUN', 'JOB_NOT_FOUND', 'EVIDENCE_EXPIRED')
),
-- one row per name that ran in the project, or was posted in the repository
names as (
    select names.project_id, 'pipeline' as what, names.name, trim(both '\' from concat(coalesce(names.folder, ''), '\', names.name)) as path
    from pipeline_names as names
    where names.organization = $organization and not names.is_current
    group by names.project_id, names.name, names.folder
    union all
    select null as project_id, 'status' as what, name, concat_ws('/', nullif(genre, ''), name) as path
    from pull_request_statuses
    where organization = $organization and repository_id = $repository_id
    group by genre, name
    union all
    select runs.project_id, 'job' as what, jobs.name, concat(runs.pipeline_name, '/', jobs.path) as path
    from pipeline_run_jobs as jobs
    join pipeline_runs as runs on runs.organization = jobs.organization and runs.run_id = jobs.run_id
    where jobs.organization = $organization and strpos(jobs.path, '/') > 0
    group by runs.project_id, runs.pipeline_name, jobs.name, jobs.path
),
-- one row per solution and name of its sort: how alike they are, 0 to 1
alike as (
    select
        wanted.kind, wanted.solution_index, wanted.solution, names.what, names.path,
        greatest(
            1.0 - cast(levenshtein(wanted.pattern, lower(names.name)) as double)
                / greatest(char_length(wanted.pattern), char_length(names.name), 1),
            1.0 - cast(levenshtein(wanted.pattern, replace(lower(names.path), '\', '/')) as double)
                / greatest(char_length(wanted.pattern), char_length(names.path), 1),
            case when strpos(lower(names.path), wanted.pattern) > 0 and char_length(wanted.pattern) >= 3 then 0.6 else 0.0 end,
            case when strpos(wanted.pattern, lower(names.name)) > 0 and char_length(names.name) >= 3 then 0.5 else 0.0 end
        ) as likeness
    from wanted
    join names
        on (names.project_id is null or names.project_id = wanted.project_id)
        and case wanted.selector
            when 'status' then names.what = 'status'
            when 'pipeline' then names.what = 'pipeline'
            when 'job' then names.what = 'job'
            else names.what in ('pipeline', 'status')
        end
),
-- the same, the most alike first
ranked as (
    select
        *,
        row_number() over (partition by kind, solution_index order by likeness desc, path, what) as position
    from alike
    where likeness >= 0.4
)
select
    verdicts.check_id, 'nearest' as effect, cast(null as timestamp) as at, cast(ranked.solution_index as bigint) as step, 'name' as kind,
    concat(
        'what ran and is near to `', ranked.solution, '`: ',
        string_agg(concat(ranked.what, ' `', ranked.path, '`'), ', ' order by ranked.position)
    ) as fact,
    cast(null as varchar) as why, ranked.solution as id, cast(null as varchar) as url
from ranked
join verdicts on verdicts.kind = ranked.kind
where ranked.position <= 3
group by verdicts.check_id, ranked.solution_index, ranked.solution
