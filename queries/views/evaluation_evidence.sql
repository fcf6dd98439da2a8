-- id: evaluation_evidence
-- title: What policy evaluations prove where no run or status is stored
-- grain: one row per profile, merged pull request, solution and evaluation of a build validation or status policy without a stored run
-- reads: final_code, pull_request_policy_evaluations, pipeline_runs, solution_pipelines, solution_statuses

with
-- one row per profile
profiles as (select column1 as profile from (values ('standard'), ('strict'))),
-- one row per solution and pipeline of today, or under a name of its runs where it is not listed
current_pipelines as (select * from solution_pipelines where is_current or not is_listed),
-- one row per solution and evaluation: of a build validation policy whose run is not stored, or of a status policy that did not apply
selected_evaluations as (
    select
        pipelines.kind, pipelines.solution_index, pipelines.selector, 'pipeline' as leg, pipelines.name,
        evaluations.organization, evaluations.pull_request_id, evaluations.build_id, evaluations.status,
        evaluations.completed_at, evaluations.source_commit, evaluations.is_expired
    from current_pipelines as pipelines
    join pull_request_policy_evaluations as evaluations
        on evaluations.organization = pipelines.organization
        and evaluations.repository_id = pipelines.repository_id
        and evaluations.build_definition_id = pipelines.pipeline_id
    left anti join pipeline_runs as runs
        on runs.organization = evaluations.organization
        and runs.run_id = evaluations.build_id
    union all
    select
        names.kind, names.solution_index, 'status' as selector, 'status' as leg,
        concat(names.genre, case when names.genre <> '' then '/' else '' end, names.name) as name,
        evaluations.organization, evaluations.pull_request_id, null as build_id, evaluations.status,
        evaluations.completed_at, evaluations.source_commit, evaluations.is_expired
    from solution_statuses as names
    join pull_request_policy_evaluations as evaluations
        on evaluations.organization = names.organization
        and evaluations.repository_id = names.repository_id
        and coalesce(evaluations.status_genre, '') = names.genre
        and evaluations.status_name = names.name
    where evaluations.status = 'notApplicable'
),
-- the same, with what it proves; null = nothing
proven_evaluations as (
    select
        evaluations.*, final_code.merged_at,
        case
            when evaluations.status = 'notApplicable' then 'POLICY_NOT_APPLICABLE'
            when evaluations.is_expired then 'STALE_RUN'
            when evaluations.status is distinct from 'approved' then 'NOT_RUN'
            when evaluations.source_commit <> final_code.source_commit then 'STALE_RUN'
            when evaluations.build_id is null or evaluations.source_commit is null or final_code.source_commit is null then null
            when evaluations.selector = 'job' then 'EVIDENCE_EXPIRED'
            when evaluations.completed_at <= final_code.merged_at then 'EVALUATION_APPROVED'
        end as reason_code
    from selected_evaluations as evaluations
    join final_code
        on final_code.organization = evaluations.organization
        and final_code.pull_request_id = evaluations.pull_request_id
)
select
    evaluations.organization, evaluations.pull_request_id, evaluations.merged_at, profiles.profile, evaluations.kind, evaluations.solution_index,
    evaluations.leg,
    evaluations.reason_code,
    case when evaluations.reason_code = 'EVALUATION_APPROVED' then 'RUN_EXPIRED' else '' end as flags,
    'evaluation' as what, cast(evaluations.name as varchar) as name, evaluations.build_id as id, cast(evaluations.status as varchar) as result,
    evaluations.completed_at as at, cast(null as varchar) as url
from proven_evaluations as evaluations
cross join profiles
where evaluations.reason_code is not null
