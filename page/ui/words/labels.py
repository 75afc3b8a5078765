"""Texts without facts in them: titles, headings, buttons and fields, in the order in which a visitor meets them."""

from __future__ import annotations

# --- The page -----------------------------------------------------------------------------------------------------

PAGE_TITLE = "STIT Studio"
STUDIO_TAB = "Studio"
CLIP_STEP = "Clip"
ALIGN_STEP = "Align"
TUNE_STEP = "Tune"
EDIT_STEP = "Edit"
WATCH_STEP = "Watch"
CLIPS_TAB = "Clips"
DIRECTIONS_TAB = "Directions"
REVIEW_TAB = "Review"
ABOUT_TAB = "About"
DELETE_DATA = "Delete my data now"
DELETE_DATA_SURE = "Delete your clip, everything that was made from it and your own directions from this server?"
RUN_GONE = "This run is not there any more"
RUN_GONE_HERE = "Load the page again to begin a new one."
NOTHING_AT_WORK = "Nothing is at work."
SERVER_FAILED = "Something went wrong on the server. Nothing finished is lost: do the same once more."

# --- Clip ---------------------------------------------------------------------------------------------------------

CLIP = "Your clip"
CLIP_HEADING = "Choose a clip"
CONSENT = "I may edit the face of everybody whose video or pictures I upload: it is mine, or they have agreed."
CONSENT_ABOUT = "Kept with your run, with the time and these words. The samples were drawn and need none."
LOGIN = "This page asks for a password. Whoever runs it has given it to you."
CLIP_INTRO = "Upload a video of a face or record one, or begin with a sample."
SAMPLES = "Samples"
LOOKING_THROUGH = "Looking through the clip …"
BEST_PART = "Use the best part"
FIND_FACE = "Find the face"
ESTIMATES_CAPTION = "From here to the finished video"

# --- Align --------------------------------------------------------------------------------------------------------

ALIGN_HEADING = "Is this the right face?"
ALIGN_INTRO = "Each picture is the part that will be edited, along the clip."
PEOPLE_HEADING = "Several people"
PEOPLE_INTRO = "Pick the one to begin with. Each can have an edit of their own."
FACES = "Faces in the clip"
PEOPLE_LEAD = "Whose edit:"
EVERYONE_TOO = "Copy this edit to all"
WHO_IS_WHO = "Is somebody taken for somebody else?"
TRACK_ONE = "This person"
TRACK_OTHER = "is the same as"
TRACKS_JOIN = "Join the two"
TRACK_SPLIT = "This person"
TRACK_FROM = "is somebody else from second"
TRACKS_SPLIT = "Split there"
TRACKS_UNDO = "Undo all corrections"
WHOM_FIRST = "Choose whom first."
SMOOTHING = "Steadiness and framing"
CENTER_SIGMA = "Smoothing of the place, frames"
XY_SIGMA = "Smoothing of size and tilt, frames"
SCALE = "Size of the crop"
USE_SMOOTHING = "Use these"
TO_TUNE = "Continue"
JITTER_PLOT = "How much the crop jerks from frame to frame"
JITTER_BEFORE = "as found"
JITTER_AFTER = "smoothed"

# --- Tune ---------------------------------------------------------------------------------------------------------

TUNE_HEADING = "Learn the face"
TUNE_INTRO = "A generator that draws faces learns to draw this one. How thorough shall it be?"
PRESETS = "How thorough"
METHODS_HEADING = "How is the face changed?"
METHODS = "Method"
TUNE_START = "Start"
TUNE_RUNNING = "At work"
TUNE_STOPPED = "Go on"
TUNE_DONE = "Done"
TO_EDIT = "Choose the edit"
NO_NEED_TO_WAIT = "There is no need to wait: the edit can be chosen meanwhile."
FIT_PICTURES = ("Source", "First guess", "Tuned")
LOSS_PLOT = "Loss, pass by pass"

# --- Edit ---------------------------------------------------------------------------------------------------------

EDIT_HEADING = "Change the face"
EDIT_INTRO = "Move a slider and see it at once. Drag across a picture to compare."
REGIONS = "Where the face is changed"
REGIONS_LEAD = "Where"  # before the buttons
MAKE_VIDEO = "Make the video"
ADVANCED = "Advanced: every other setting"
MARK = "Write “AI-edited” visibly into the picture"
STAGES = {  # of the settings under "Advanced"
    "transfer": "Transfer",
    "stitching": "Stitching",
    "masks": "Outline of the face",
    "compositing": "Pasting back",
    "tuning": "Tuning",
    "edit": "Edit",
    "inversion": "Inversion",
    "landmarks": "Finding the face",
    "video": "Video file",
}
SUGGESTIONS = {
    "younger": "Younger",
    "older": "Older",
    "smile": "Smile",
    "laugh": "Laugh",
    "serious": "Serious",
    "open mouth": "Open mouth",
    "wide eyes": "Wide eyes",
}

# --- Watch --------------------------------------------------------------------------------------------------------

PLAYER = "Before and after"
DOWNLOAD_VIDEO = "Download the video"
DOWNLOAD_PART = "Download the part"
DOWNLOAD_MANIFEST = "Edit manifest (JSON)"
ANOTHER_CHANGE = "Another change"
BETTER_FIT = "A better fit"
REVIEW_THIS = "Review this edit"
OUTPUTS_HEADING = "Made so far"
OUTPUTS = "Videos made so far"
COMPARE_HEADING = "Compare with"
COMPARE = "What the left of the player shows"
SOURCE = "The source"
SOURCE_ABOUT = "As it was filmed"

# --- Directions ---------------------------------------------------------------------------------------------------

DIRECTIONS_HEADING = "Directions"
DIRECTIONS_INTRO = "What can be changed with this model pack, and how well each change was learned."
TRAIN_HEADING = "Train one from your own pictures"
PICTURES_BELOW = "Pictures: below 0"
PICTURES_ABOVE = "Pictures: above 0"
PICTURES_ZIP = "Or a zip with two folders"
DIRECTION_NAME = "Name"
DIRECTION_NAME_RULE = "Letters, digits, _ and -"
DIRECTION_NAME_EXAMPLE = "glasses"
DIRECTION_NEGATIVE = "Below 0 it is"
DIRECTION_NEGATIVE_EXAMPLE = "without glasses"
DIRECTION_POSITIVE = "Above 0 it is"
DIRECTION_POSITIVE_EXAMPLE = "with glasses"
TRAIN = "Train"
OWN_DIRECTION = "yours"
HOW_LEARNED = "How it was learned"
DELETE_DIRECTION = "Delete"
