"""The run's id in the address, where the page stands in a frame of the Hub; see also widgets/address.js."""

from __future__ import annotations

from page.server.origins import HUB

RUN = "stit-run"  # in the tab's storage, which is empty in every other tab
# Set before gradio reads the address. The Hub documents that it takes over a frame's query for Spaces of other kinds
# than gradio's; where it does not, a reload of the tab finds the run here.
RUN_SCRIPT = f"""<script>
try {{
  const address = new URL(location.href);
  const above = location.ancestorOrigins;
  const run = window.parent !== window && (!above || above[0] === "{HUB}") ? sessionStorage.getItem("{RUN}") : null;
  if (run && !address.searchParams.has("run")) {{
    address.searchParams.set("run", run);
    history.replaceState(null, "", address);
  }}
}} catch {{}}
</script>"""
