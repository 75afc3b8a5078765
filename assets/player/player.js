// The player: buttons, keys, the clock of the frames, and the way from frames to the finished videos.
// Gradio gives `element`, `props`, `server` and `watch` to this script; see page/ui/player.py.

const HOLD_SECONDS = 0.5; // a gap up to this long is waited through on the last picture, a longer one is jumped over
const LONGEST_STEP = 0.25; // seconds that the clock may move at once, after the tab was asleep
const PATIENCE_MILLISECONDS = 400; // until a wait is shown
const AGAIN_MILLISECONDS = 500; // until a picture that is waited for is looked for again
const SCREEN_RATE = 60; // pictures a second

class Player {
  /**
   * @param {HTMLElement} root
   * @param {Record<string, (asked: object) => Promise<any>>} server
   */
  constructor(root, server) {
    this.root = root;
    const isGone = () => this.isGone();
    this.link = new Link(server, () => this.showLink());
    const isHidden = () => document.hidden || !root.offsetParent;
    const heard = { onNews: this.hear.bind(this), onReset: () => this.reset(), isHidden, isGone };
    this.feed = new Feed(this.link, heard);
    this.pictures = new Pictures(this.link, this.feed, () => this.wake());
    this.stage = new Stage(root, {
      onPress: () => this.setPlaying(!this.playing),
      onSplit: () => this.controls.keep(),
    });
    const moved = { onSeek: (/** @type {number} */ frame) => this.seek(frame), onHold: this.hold.bind(this) };
    this.timeline = new Timeline(root, this.feed, moved);
    const heardOfVideos = {
      onEnd: () => this.endOfVideo(),
      onMuted: () => this.controls.showSound(),
      onBroken: () => this.mend(),
      isGone,
    };
    this.videos = new Videos(this.stage.videos, this.link, heardOfVideos);
    this.playing = false;
    this.held = false; // the scrubber is held
    this.begun = false; // whether it has begun to play by itself
    this.frame = 0; // to be shown
    this.shown = -1; // is shown
    this.position = 0; // the clock, in frames
    this.before = 0; // the last tick, milliseconds
    this.waiting = 0; // since when a picture is waited for
    this.raf = 0;
    this.timer = 0;
    this.media = "frames";
    this.stopping = new AbortController();
    const { signal } = this.stopping;
    window.addEventListener("online", () => this.tryAgain(), { signal });
    document.addEventListener("visibilitychange", () => this.tryAgain(), { signal });
    this.controls = new Controls(root, this.stage, this);
    this.reset();
  }

  isGone() {
    if (!this.root.isConnected && !this.stopping.signal.aborted) this.close();
    return !this.root.isConnected;
  }

  /** Let go of everything; Gradio has taken the component off the page. */
  close() {
    this.stopping.abort();
    this.feed.close();
    this.pictures.clear();
    this.timeline.close();
    this.videos.close();
    window.cancelAnimationFrame(this.raf);
    window.clearTimeout(this.timer);
  }

  // --- What the visitor does ---------------------------------------------------------------------------------------

  /** @param {boolean} playing */
  setPlaying(playing) {
    if (playing && !this.feed.count) return;
    if (playing && !this.controls.loop && this.atEnd()) this.seek(this.feed.next(0));
    this.playing = playing;
    this.before = 0;
    this.root.dataset.playing = String(playing);
    const button = part(this.root, ".play");
    button.setAttribute("aria-label", playing ? texts.pause : texts.play);
    button.setAttribute("title", playing ? texts.pause_key : texts.play_key);
    if (this.media === "video") this.videos.setPlaying(playing && !this.held);
    this.point();
    this.wake();
  }

  /** Go to a frame that the visitor chose. @param {number} frame */
  move(frame) {
    if (!this.feed.total) return;
    this.seek(frame);
  }

  /** One made frame on or back, paused. @param {-1 | 1} step */
  nudge(step) {
    if (!this.feed.total) return;
    if (this.playing) this.setPlaying(false);
    const { feed } = this;
    const next = step > 0 ? feed.next(this.frame + 1) : feed.previous(this.frame - 1);
    if (next >= 0) this.move(next);
  }

  /** @param {number} frame */
  seek(frame) {
    this.frame = Math.max(0, Math.min(this.feed.total - 1, frame));
    this.position = this.frame;
    this.waiting = 0;
    if (this.media === "video") this.videos.seek(this.frame);
    this.point();
    this.wake();
  }

  /** The scrubber was taken hold of, or let go. @param {boolean} held */
  hold(held) {
    this.held = held;
    this.before = 0;
    if (this.media === "video") this.videos.setPlaying(this.playing && !held);
    if (!held) this.controls.keep();
    this.wake();
  }

  // --- What the server tells ---------------------------------------------------------------------------------------

  /** Another edit, or none. */
  reset() {
    this.pictures?.clear();
    this.videos?.close();
    for (const side of /** @type {Side[]} */ (["before", "after"])) this.stage.setMedia(side, false);
    this.stage.blank();
    this.media = "frames";
    this.playing = this.begun = false;
    this.root.dataset.playing = "false";
    this.frame = this.position = 0;
    this.shown = -1;
    this.controls.setHasSound(false);
    this.stage.setSize(this.feed.width, this.feed.height);
    this.describe();
    this.point();
    this.timeline.redraw();
  }

  /** @param {number[]} frames */
  hear(frames) {
    this.pictures.renew(frames);
    if (frames.includes(this.shown)) this.shown = -1;
    if (!this.begun && this.feed.count) {
      this.begun = true;
      this.resume();
      // Frames that come one by one play by themselves; a finished video with its sound waits for the visitor.
      this.setPlaying(this.feed.phase === "working" && !this.stage.still.matches);
    }
    if (this.feed.finished && this.media === "frames") void this.goToVideo();
    if (frames.length) this.timeline.redraw();
    this.describe();
    this.wake();
  }

  /** Begin where this visitor was in this edit, or with the first frame that is made. */
  resume() {
    const kept = recallKeepsake();
    const frame = kept.id === this.feed.id && this.feed.made[kept.frame] ? kept.frame : this.feed.next(0);
    this.frame = this.position = frame;
  }

  /** The videos are written: fetch them, and go over without a gap once both stand at the frame that is shown. */
  async goToVideo() {
    const { finished, id } = this.feed;
    if (!finished) return;
    this.media = "fetching";
    const playable = await this.videos.load(finished, this.feed.rate);
    if (id !== this.feed.id || this.isGone()) return;
    this.media = playable ? "video" : "stills";
    this.describe();
    if (!playable) return this.wake();
    this.controls.setHasSound(finished.sound);
    this.videos.setSpeed(this.controls.speed);
    this.videos.seek(this.frame);
    await this.videos.arrive();
    if (id !== this.feed.id || this.isGone()) return;
    this.stage.setMedia("after", true);
    this.stage.setMedia("before", this.videos.hasBefore);
    if (this.videos.hasBefore) this.pictures.clear(); // else the source is still shown frame by frame
    this.stage.setUnmade("");
    this.videos.setPlaying(this.playing && !this.held);
    this.describe();
    this.wake();
  }

  endOfVideo() {
    if (this.controls.loop && this.playing) {
      this.videos.seek(0);
      this.videos.setPlaying(true);
    } else if (this.playing) this.setPlaying(false);
  }

  /** A video broke off: look whether it can be had again. */
  mend() {
    if (this.media !== "video") return;
    for (const side of /** @type {Side[]} */ (["before", "after"])) this.stage.setMedia(side, false);
    this.shown = -1;
    void this.goToVideo();
  }

  tryAgain() {
    if (document.hidden || this.isGone()) return;
    if (this.feed.phase !== "finished" || this.link.lost) this.feed.poll();
    this.wake();
  }

  showLink() {
    this.describe();
    if (!this.link.lost) this.wake();
    else if (this.feed.phase === "finished") this.feed.probe();
  }

  // --- The clock ---------------------------------------------------------------------------------------------------

  wake() {
    if (!this.raf && !this.stopping.signal.aborted) this.raf = window.requestAnimationFrame((now) => this.tick(now));
  }

  /** @param {number} now milliseconds */
  tick(now) {
    this.raf = 0;
    window.clearTimeout(this.timer);
    if (this.isGone()) return;
    const step = this.before ? Math.min(LONGEST_STEP, (now - this.before) / 1000) : 0;
    this.before = this.playing ? now : 0;
    if (this.media === "video") this.followVideo(now);
    else this.runFrames(step);
    this.show(now);
    if (this.playing && !this.held && this.root.offsetParent) this.wake();
    else if (this.shown !== this.frame) this.timer = window.setTimeout(() => this.wake(), AGAIN_MILLISECONDS);
  }

  /** @param {number} now */
  followVideo(now) {
    if (!this.videos.ready) return;
    this.videos.step(now);
    const frame = Math.min(this.feed.total - 1, this.videos.frame);
    if (frame === this.frame || this.held) return;
    this.frame = this.position = frame;
    this.point();
  }

  /** Frames from one that is shown to the next: all of them, unless the screen or the decoder is too slow. */
  get stride() {
    const rate = this.feed.rate * this.controls.speed;
    return Math.max(1, Math.ceil(rate / SCREEN_RATE - 0.05), Math.ceil(rate * this.pictures.decodeSeconds));
  }

  /** Move on over the frames that are there. @param {number} step seconds */
  runFrames(step) {
    const { feed } = this;
    if (!this.playing || this.held || !feed.count) return;
    if (this.shown === this.frame)
      this.position += step * feed.rate * this.controls.speed; // else the picture is waited for
    else if (feed.made[this.frame] && !this.pictures.isMissed(this.frame)) return;
    let next = feed.next(this.frame + this.stride);
    while (next >= 0 && this.pictures.isMissed(next)) next = feed.next(next + 1);
    if (next < 0) return this.runOut();
    const shown = feed.made[this.frame] === 1;
    if (shown && next - this.frame > Math.max(this.stride, HOLD_SECONDS * feed.rate)) {
      if (this.position < this.frame + 1) return;
      this.position = next;
    }
    if (this.position < next && shown) return;
    // The clock may be several frames on: what lies between was too late to be shown.
    const due = feed.previous(Math.floor(this.position));
    this.frame = !shown || this.pictures.isMissed(due) || due < next ? next : due;
    this.position = Math.max(this.frame, Math.min(this.position, this.frame + this.stride));
    this.point();
  }

  /** The last frame there is was shown. */
  runOut() {
    const first = this.feed.next(0);
    if (this.position < this.frame + 1 && this.feed.made[this.frame]) return; // for as long as every frame
    if (this.controls.loop) {
      this.position = Math.max(first, first + (this.position % 1));
      this.frame = first;
      this.point();
    } else if (this.feed.phase === "working" && this.frame < this.feed.total - 1) {
      this.position = this.frame + 1; // more is on its way
    } else this.setPlaying(false);
  }

  atEnd() {
    return this.feed.phase !== "working" && this.feed.next(this.frame + 1) < 0;
  }

  /** Draw the frame that is due, if it is here. @param {number} now */
  show(now) {
    const { feed, frame } = this;
    const everything = this.media !== "video";
    if (!feed.count || (!everything && this.videos.hasBefore)) {
      this.shown = frame;
      return;
    }
    if (this.root.offsetParent) this.pictures.look(frame, this.stride, this.playing && !this.held, this.controls.loop);
    const made = feed.made[frame] === 1;
    const pair = made ? this.pictures.pair(frame) : null;
    if (pair && this.shown !== frame) this.stage.draw(pair, everything ? ["before", "after"] : ["before"]);
    if (pair || !made) {
      this.shown = frame;
      this.waiting = 0;
    } else this.waiting ||= now;
    const missed = made && this.pictures.isMissed(frame);
    const late = this.waiting && now - this.waiting > PATIENCE_MILLISECONDS && everything && !this.link.lost;
    const absent = !made ? texts.place_unmade : missed ? texts.place_missing : late ? texts.loading : "";
    this.stage.setUnmade(fill(absent, { frame: frame + 1 }));
  }

  point() {
    this.timeline.point(this.frame, this.playing);
  }

  // --- Words -------------------------------------------------------------------------------------------------------

  /** Say how far the edit is, and what is wrong. */
  describe() {
    const { feed, root } = this;
    const counts = {
      empty: "",
      working: feed.count ? texts.frames_so_far : texts.first_coming,
      stopped: feed.count < feed.total ? texts.frames_stopped : texts.frames,
      finished: texts.frames,
    };
    root.dataset.phase = feed.count ? feed.phase : "empty";
    part(root, ".count").textContent = fill(counts[feed.phase], { made: feed.count, count: feed.total });
    const waits = feed.phase === "working";
    part(root, ".empty-title").textContent = waits ? texts.first_coming : texts.nothing;
    for (const name of [".play", ".back", ".forward"]) part(root, name).toggleAttribute("disabled", !feed.count);
    let text = "";
    if (!feed.known) text = texts.gone;
    else if (this.link.lost) text = texts.lost;
    else if (this.media === "stills") text = texts.stills;
    /** @type {HTMLElement} */
    const notice = part(root, ".notice");
    notice.hidden = !text;
    const line = part(notice, ".notice-text");
    if (line.textContent !== text) line.textContent = text; // a screen reader reads it once
    part(notice, ".retry").toggleAttribute("hidden", !this.link.lost);
  }
}

/** @type {HTMLElement & {player?: Player}} */
const playerRoot = part(element, ".stit-player");
playerRoot.player = new Player(playerRoot, server); // kept there for tests and for a look from the console
/** The value is a feed's id or {id, names}; a side without a name has that of the template. */
function openShown() {
  const { id, names = [null, null] } =
    typeof props.value === "object" && props.value ? props.value : { id: props.value ?? "" };
  playerRoot.player?.stage.setNames(names);
  playerRoot.player?.feed.open(String(id));
}
openShown();
watch("value", openShown);
