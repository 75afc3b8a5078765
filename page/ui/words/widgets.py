"""Texts of our own widgets and of the player, for their HTML and their scripts, which know each by its key here.

A place in braces, such as {seconds}, is filled in by the script; it may stand anywhere in a text, and be left out. A
text with the place {count} may also be a mapping with a form for each plural category of LANGUAGE, chosen by that
number: {"one": "1 frame", "other": "{count} frames"}; "other" is needed always. No backtick, backslash, "${" or "{{"
may stand in a text: gradio reads them.
"""

from __future__ import annotations

from collections.abc import Mapping

Texts = Mapping[str, str | Mapping[str, str]]

LANGUAGE = "en"  # whose plural categories (zero, one, two, few, many, other) choose between forms

WIDGETS: dict[str, Texts] = {  # by the names of the files in page/ui/widgets
    "address": {
        "copy": "Copy this run's address",
        "about": "This address brings your run back, here or on another device. Whoever has it sees the run.",
        "copied": "Copied",
        "not_copied": "Copy it from the field",
        "field": "This run's address",
    },
    "brand": {
        "title": "STIT Studio",
        "claim": "Edit the face in a video, and put it back so that nobody sees the seam.",
    },
    "clips": {
        "list": "Your clips",
        "before": "{name} before the edit",
        "after": "{name}, edited",
        "open": "Open",
        "open_named": "Open {name} in a tab of its own",
        "stop": "Stop",
        "stop_named": "Stop {name}",
        "remove": "Take away",
        "remove_named": "Take {name} away",
        "remove_sure": "Delete {name} and everything that was made from it from this server?",
        "stop_all": "Stop all",
        "share": "How far {name} is",
    },
    "factors": {
        "edits": "Edits and their factors",
        "none": "Add an edit below.",
        "add": "Add an edit",
        "other": "other factor",
        "another": "{title}: another factor",
        "leave_out": "Leave out {title}",
    },
    "report": {"title": "The report"},
    "sheet": {
        "show": "Show",
        "everybody": "everybody",
        "count": {"one": "{done} of 1 person", "other": "{done} of {count} people"},
    },
    "dials": {
        "quick": "Ready-made changes",
        "chosen": "Chosen changes and how much of each",
        "none_chosen": "Pick a ready-made change above, or choose from the list below.",
        "search": "Search changes",
        "reset": "Reset all",
        "all": "All changes",
        "none_found": "Nothing is called that. Clear the search to see all.",
        "number": "{title}: factor as a number",
        "leave_out": "Leave out {title}",
        "less": "less",  # where a direction does not say what it does below 0
        "more": "more",
    },
    "job": {
        "share": "How far it is",
        "see": "See the video",
        "stop": "Stop",
        "lost": "The server does not answer. Trying again …",
    },
    "settings": {
        "search": "Search settings",
        "reset": "Back to the preset",
    },
    "trim": {
        "start": "Start of the part that is edited, in seconds",
        "end": "End of the part that is edited, in seconds",
        "start_number": "From",
        "end_number": "to",
        "still": "The frame at the handle that was moved last",
        "handle": "{count} seconds",
        "length": "{length} of {count} seconds",
        "stretch": "{state}, {start} to {end} s",
        "stretch_spoken": "{state} from {start} to {end}",
        "stretches_spoken": "Along the {count} seconds: {stretches}",
    },
    "wipe": {
        "before": "Before",
        "after": "Edited",
        "cut": "Where before ends and edited begins, per cent",
        "before_picture": "{label} before the edit",
        "after_picture": "{label} after the edit",
    },
}

PLAYER: Texts = {
    "player": "Before and after player",
    "before": "Before",
    "before_picture": "Before the edit",
    "after": "After",
    "after_picture": "After the edit",
    "cut": "Divider between before and after",
    "cut_at": "{before} % before, {after} % after",
    "nothing": "Nothing to play yet",
    "nothing_about": "Frames appear here while they are made.",
    "first_coming": "The first frame is on its way",
    "retry": "Try now",
    "swap": "Swap before and after",
    "swap_key": "Swap before and after (X)",
    # the line of time
    "frame": "Frame",
    "no_frames": "No frames yet",
    "frame_place": "Frame {frame} of {total}, {time}",
    "frame_unmade": "not made yet",
    "seam": "Seam",
    "seam_figure": "seam {figure}, {grade}",
    "identity": "Identity",
    "identity_figure": "identity {figure}, {grade}",
    "figures": "Seam and identity of each frame",
    "figures_poor": "Seam and identity of each frame; {count} figures of {frames} frames ask for a closer look",
    "good": "good",
    "fair": "fair",
    "poor": "look closer",
    "unmade": "not made yet",
    # the buttons, each with its key in the text that the mouse brings up
    "play": "Play",
    "play_key": "Play (space)",
    "pause": "Pause",
    "pause_key": "Pause (space)",
    "back": "One frame back",
    "back_key": "One frame back (,)",
    "forward": "One frame on",
    "forward_key": "One frame on (.)",
    "loop": "Loop",
    "loop_key": "Loop (L)",
    "view": "View",
    "divider": "Divider",
    "divider_key": "Divider (M changes the view)",
    "sides": "Side by side",
    "sides_key": "Side by side (M changes the view)",
    "flicker": "Flicker",
    "flicker_key": "Flicker (M changes the view)",
    "speed": "Speed",
    "sound": "Sound",
    "sound_key": "Sound (S)",
    "full": "Full screen",
    "full_key": "Full screen (F)",
    # how far the edit is, and what is wrong
    "frames_so_far": "{made} of {count} frames",
    "frames_stopped": "Stopped after {made} of {count} frames",
    "frames": {"one": "1 frame", "other": "{count} frames"},
    "place_unmade": "Frame {frame} is not made yet",
    "place_missing": "Frame {frame} is missing",
    "loading": "Loading …",
    "gone": "This edit is no longer on the server.",
    "lost": "The connection was lost. Trying again …",
    "stills": "This browser cannot play the finished video; its frames are shown, without sound.",
}
