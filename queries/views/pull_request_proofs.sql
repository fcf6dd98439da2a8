-- id: pull_request_proofs
-- title: What all solutions of a kind prove of each merged pull request
-- grain: one row per profile, merged pull request and kind with a solution
-- reads: pull_request_evidence

with
-- one row per profile, pull request and kind
grouped as (
    select
        organization, pull_request_id, merged_at, profile, kind,
        array_agg(named_struct(
            'solution_index', solution_index, 'solution', solution, 'selector', selector, 'outcome', outcome,
            'reason_code', reason_code, 'flags', flags, 'reason', reason, 'runs', runs, 'statuses', statuses
        )) as solutions,
        count(*) as solution_count,
        max(require) as require,
        min(solution_index) filter (where outcome = 'holds') as first_holding,
        min(solution_index) filter (where outcome = 'unknown') as first_unknown,
        min(solution_index) filter (where outcome = 'fails') as first_failing,
        min(solution_index) as first_index,
        string_agg(nullif(flags, ''), ',') filter (where outcome = 'holds') as holding_flags
    from pull_request_evidence
    group by organization, pull_request_id, merged_at, profile, kind
),
-- the same, with the solution that decides
decided as (
    select
        *,
        case when solution_count > 1 then array_sort(solutions) else solutions end as sorted_solutions,
        case require
            when 'all' then coalesce(first_failing, first_unknown, first_holding, first_index)
            else coalesce(first_holding, first_unknown, first_failing, first_index)
        end - first_index + 1 as deciding_position
    from grouped
),
-- the same, unpacked
unpacked as (
    select *, sorted_solutions[cast(deciding_position as int)] as deciding from decided
)
select
    organization, pull_request_id, merged_at, profile, kind, require,
    case deciding['outcome'] when 'holds' then 'pass' when 'fails' then 'fail' else deciding['outcome'] end as status,
    deciding['reason_code'] as reason_code,
    -- where all solutions are required, each of them decides
    case
        when deciding['outcome'] = 'holds' and require = 'all' and holding_flags is not null
            then array_to_string(array_sort(array_distinct(string_to_array(holding_flags, ','))), ',')
        else deciding['flags']
    end as flags,
    concat('Solution ', deciding['solution'], ': ', deciding['reason']) as reason,
    sorted_solutions as solutions
from unpacked
