"""Long texts in Markdown: the tab "About", and how a direction is trained."""

from __future__ import annotations

from stit_core.packs.manifest import Pack

ABOUT = """
## What it does

A clip of a face goes in; the same clip with an older, smiling or otherwise edited face comes out, put back so
that the eye finds no seam. It takes five steps. The face is found and cut out of every frame. A *generator*, a
network that draws faces, is tuned until it draws this one. Moving its inputs along a *direction*, such as
"smile", changes the face in all frames alike. Then, frame by frame, that change comes into the clip, in one of
two ways.

**Transfer** takes over only the *change*: where each point of the face moves, how much lighter or darker it
becomes, and what comes into sight, such as teeth or the lines of age. It gives that to your own pixels. Pores,
lashes, light and background stay yours, what does not change stays to the bit, and after a short fit a clip takes
seconds. It cannot draw what neither the generator shows nor your face has: an opened mouth has everybody's teeth,
hair does not turn grey, and a head can turn only a little. Lips that are shut stay shut when they smile; a smile and
an opened mouth together are a laugh, with teeth.

**Stitch** is the published method. The face is drawn anew by the generator, which is fitted to it closely; then
the edge of the edited face is fitted to the picture around it, and the face is pasted back. It takes minutes, and
the skin is that of the generator. Choose it to follow the paper, for large changes of shape, age or hair that have
to be drawn, or where the transfer leaves something undone. Both can be tried on the same clip, and their
videos played side by side in the step **Watch**.

Stitching is that of *Stitch it in Time: GAN-Based Facial Editing of Real Videos* by Tzaban, Mokady, Gal,
Bermano and Cohen-Or (2022, [arXiv 2201.08361](https://arxiv.org/abs/2201.08361)). The preset **Paper** follows
its schedule and always stitches; **Balanced** and **Draft** take fewer steps.

## What it is for, and what it is not for

For research, teaching, artistic work with the consent of the person in the clip, and for looking at what a face
generator does to different groups of people.

Not for passing an edited clip off as real, not for harassing, deceiving or identifying anybody, and not for
edits of people who have not agreed. A direction such as "age" or "gender" is what a generator learned from
labelled pictures, not a statement about the person. Ethnicity and skin tone are never inferred for a visitor.

**What an edit does to different people** is looked at by a *review*: the same edits on people whose groups are
labelled, with figures, their uncertainty and pictures of all. What one found about the pack that comes with this
program stands in docs/review.md: it is the pack's model card.

## How an edit is marked

Every video says in its container that it was edited, with what and how: a comment, and the edit manifest with the
hashes of clip and model pack, the directions, factors and settings, and what was measured. The same manifest lies
beside it as a JSON file. "AI-edited" is written visibly into a corner that the face leaves free, on a public page
unless you turn it off, where its host lets you: under *Advanced* in the step **Edit**. Where the host has named a
certificate, the video is signed (C2PA), so that others can see whether it was changed since. Say that a video was
edited wherever you show it.

## Your data

Your clip stays on the machine that runs this page. Nobody can list, see or stop your run without its address,
which holds 128 random bits: treat it like a password. Everything that you brought and that was made from it is
deleted after a while without use, or at once with *Delete my data now*. Each clip of the tab **Clips** has a run and
an address of its own, and goes with the run that holds the list.

## Licences
"""
LANDMARKS = (
    "Landmarks and the measure of identity use the models of dlib; its 68-point predictor was trained on 300-W, whose "
    "licence excludes commercial use."
)
TRAINING = """
A direction is learned from pictures of faces in two groups, such as *without glasses* and *with glasses*. Upload a
folder of pictures for each, or one zip with two folders in it. Some hundred pictures a group, of many people, work
well; with fewer than 20 there is nothing to learn. The direction belongs to your run: nobody else sees it, and it is
deleted with your data.
"""
TRAINING_HERE = "It is learned on this server's processor, and takes nothing of your share of the graphics card."


def about_text(pack: Pack) -> str:
    """The text of the tab "About" with the licences of the model pack."""
    lines = [
        "The code is under the MIT licence, the sample clips are CC0.",
        f"Model pack **{pack.name}**: {pack.licence}. {pack.description}",
        LANDMARKS,
    ]
    return ABOUT + "\n\n".join(lines)
