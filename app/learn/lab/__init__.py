"""The Token Lab: pages that show the reader's own tokens and run attacks against this site's real endpoints.

The lab never shows a signature that the site would accept, because a script on the page could read it. Sample tokens
have their own key and audience. Tokens signed with the site's key, to reach later checks, never leave the process. The
lab exists in development only, and only for requests from this machine (`permissions.Developer`).

    inspector    both tokens decoded, and every check with its source line (`trace`, `sources`)
    family       the history of the reader's session, from the audit log (app/audit/session_history.py)
    attacks      scripts that send requests (`http_exchange`) with a temporary account (`sandbox`)
    simulation   the time machine: the real `rotation_policy` with a simulated clock
"""

from app.learn.lab import pages
from app.web.features import Feature, in_development

FEATURE = Feature(
    name="lab",
    enabled=in_development,
    routes=pages.route_patterns,
    footer={"/learn/lab": "Token Lab"},
)
