-- How many pull requests each check judged, by production branch and month of merging.
select
    judged.check_id, merged.organization, merged.repository_id, merged.branch,
    to_char(merged.merged_at, '%Y-%m') as closed_month,
    count(*) as judged
from judged_pull_requests as judged
join merged_pull_requests as merged
    on merged.organization = judged.organization
    and merged.repository_id = judged.repository_id
    and merged.pull_request_id = judged.pull_request_id
group by
    judged.check_id, merged.organization, merged.repository_id, merged.branch, to_char(merged.merged_at, '%Y-%m')
