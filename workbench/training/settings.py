"""How a detector is trained: every setting of a recipe except the network's own."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.project import FINISHED, Snapshot, Split, State
from workbench.core.tiling import OVERLAP, Tiling, tiling
from workbench.errors import WorkbenchError
from workbench.settings import setting

USED_STATES = {
    "done": FINISHED,
    "verified": (State.VERIFIED,),
    "in work": (State.IN_WORK, State.DONE, State.VERIFIED),
}
MOST_FOLDS = 20
BALANCED = "balanced"
SINGLY = (BALANCED, "image")
"""The choices of `fold_by` that put each image into a fold by itself."""
BALANCING = {"image": BALANCED, "name": "balanced-name", "folder": "balanced-folder"}
"""For a choice of `fold_by` that looks at no labels, the one that also distributes these. Each keeps its rule: a run's
images are worked out from it."""
BALANCED_GROUPS = (BALANCING["name"], BALANCING["folder"])
FEW_JUDGES = 10
"""With fewer validation images AP jumps. On 1 image of blood cells it was .105 after 40 epochs, .000 after 50: a
training stopped when it had not risen for 100 epochs had AP50 .16 on 50 others, one that ran to its end .57. In
another it was highest after 180 of 300 epochs: those weights had AP50 .49 on the 50 others, the last ones .66."""


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of a training. The network's own (input side, width, loss) are in the detector's settings."""

    # how long
    epochs: int = setting(100, "How many times every training image is seen.", low=1, high=100_000, group="Length")
    least_steps: int = setting(
        0, "The least number of steps: with few images, batches get smaller (down to 4), then epochs are added. "
            "0: as set.",
        low=0, high=1_000_000, group="Length",
    )  # fmt: skip
    patience: int = setting(
        0, "Stop when AP has not risen for this many evaluations, if it is measured on ten images or more; 0: never.",
        low=0, high=10_000, group="Length",
    )  # fmt: skip
    evaluate_every: int = setting(
        1, "Epochs between two evaluations on the validation images; 0: only at the end.", low=0, group="Length"
    )
    best_by: str = setting(
        "ap", "The metric that decides which checkpoint is the best.", choices=("ap", "ap50"), group="Length"
    )

    # the step
    batch: int = setting(16, "Images per step.", low=1, high=4096, group="Optimiser")
    optimizer: str = setting(
        "sgd", "SGD: with momentum, as published. AdamW: less sensitive to the learning rate, good for short runs.",
        choices=("sgd", "adamw"), group="Optimiser",
    )  # fmt: skip
    learning_rate: float = setting(0.00261, "The highest learning rate.", low=0.0, high=10.0, group="Optimiser")
    momentum: float = setting(
        0.9, "How much of the previous step carries over into the next (AdamW: its first beta).",
        low=0.0, high=0.9999, group="Optimiser",
    )  # fmt: skip
    weight_decay: float = setting(
        0.0005, "How strongly the convolutions' weights are pulled towards zero.", low=0.0, high=1.0, group="Optimiser"
    )
    clip_gradient: float = setting(
        0.0,
        "Largest norm of the whole gradient; larger ones are scaled down to it (Pascanu 2012, arXiv 1211.5063). 0: "
        "never.",
        low=0.0,
        group="Optimiser",
    )
    ema: float = setting(
        0.0, "The saved weights are an average over past steps with this decay, such as 0.999 (EMA, Darknet's"
        " ema_alpha); 0: no average.",
        low=0.0, high=0.99999, group="Optimiser",
    )  # fmt: skip

    label_balance: float = setting(
        0.0, "Rare labels weigh more: (boxes of the most common / own boxes) to this power, at most 10; 1 is Darknet's"
        " counters_per_class; 0: all alike.", low=0.0, high=1.0, group="Regularisation",
    )  # fmt: skip
    mini_batch: int | None = setting(
        None, "Images that go through the network at once (Darknet's batch / subdivisions); auto: as many as fit, or an"
        " eighth of the batch with cross_norm, as in cfg/yolov4.cfg.",
        low=1, high=4096, group="Regularisation",
    )  # fmt: skip
    cross_norm: bool = setting(
        False, "Batch norms use all mini-batches of a batch so far: CmBN (YOLOv4, arXiv 2004.10934, figure 4).",
        group="Regularisation",
    )  # fmt: skip
    sync_norm: bool = setting(
        False, "Batch norms use the images of all processes under torchrun (arXiv 1711.07240): for few images each.",
        group="Regularisation",
    )  # fmt: skip
    self_adversarial: float = setting(
        0.0, "Share of steps, after the warm-up, on images changed so that the network finds nothing in them:"
        " self-adversarial training (YOLOv4, arXiv 2004.10934; Darknet: 0.5).",
        low=0.0, high=1.0, group="Regularisation",
    )  # fmt: skip
    adversarial_rate: float = setting(
        1.0, "How far such images are changed: a factor on the gradient, growing over the run (adversarial_lr).",
        low=0.0, high=1000.0, group="Regularisation",
    )  # fmt: skip

    # the learning rate over time
    schedule: str = setting(
        "cosine", "How the learning rate falls: along a cosine (Loshchilov 2016, arXiv 1608.03983), in steps (Darknet),"
        " or not at all; one-cycle: it rises for the first 0.3 of the run, then falls along a cosine (Smith 2018, arXiv"
        " 1708.07120), without a separate warm-up.",
        choices=("cosine", "step", "constant", "one-cycle"), group="Schedule",
    )  # fmt: skip
    final_rate: float = setting(
        0.01, "The end of the cosine, as a share of the learning rate.", low=0.0, high=1.0, group="Schedule"
    )
    step_at: tuple[float, ...] = setting(
        (0.8, 0.9), "Shares of the run after which the learning rate falls to a tenth (schedule: step).",
        group="Schedule",
    )  # fmt: skip
    warm_up: int = setting(
        100, "Steps over which the learning rate rises from zero (Goyal 2017, arXiv 1706.02677; Darknet's burn_in);"
        " never more than a tenth of the run.",
        unit="steps", low=0, high=100_000, group="Schedule",
    )  # fmt: skip
    warm_up_power: float = setting(
        1.0, "Shape of the rise: 1 is a straight line, 4 is Darknet's burn-in.", low=0.1, high=10.0, group="Schedule"
    )
    going_on_rate: float = setting(
        0.3, "Share of the learning rate for a training that starts from a run's weights which know all its labels,"
        " so that what they know is not lost at first; 1: all of it.", low=0.001, high=1.0, group="Schedule",
    )  # fmt: skip
    freeze: float = setting(
        0.0, "Share of the run, at its start, in which backbone weights loaded from a file are frozen, so that the"
        " fresh layers behind them don't spoil them; 0: never.",
        low=0.0, high=1.0, group="Schedule",
    )  # fmt: skip

    # augmentation
    flip: float = setting(
        0.5, "Share of images mirrored left to right (Darknet: 0.5).", low=0.0, high=1.0, group="Augmentation"
    )
    flip_vertical: float = setting(
        0.0, "Share of images flipped upside down; good for views from above and through microscopes.",
        low=0.0, high=1.0, group="Augmentation",
    )  # fmt: skip
    scale: float = setting(
        0.3, "Images are made larger or smaller by up to this share.", low=0.0, high=0.9, group="Augmentation"
    )
    aspect: float = setting(
        0.1, "Images are made wider or taller by up to this share.",
        low=0.0, high=0.9, group="Augmentation",
    )  # fmt: skip
    translate: float = setting(
        0.1, "Images are moved by up to this share of their side.", low=0.0, high=0.9, group="Augmentation"
    )
    hue: float = setting(
        0.1,
        "Hues are shifted by up to this share of the colour circle, either way (Darknet's hue).",
        low=0.0,
        high=1.0,
        group="Augmentation",
    )
    saturation: float = setting(
        1.5,
        "Colours get stronger or weaker by up to this factor (Darknet's saturation); 1: off.",
        low=1.0,
        high=10.0,
        group="Augmentation",
    )
    exposure: float = setting(
        1.5,
        "Images get lighter or darker by up to this factor (Darknet's exposure); 1: off.",
        low=1.0,
        high=10.0,
        group="Augmentation",
    )
    jitter: float = setting(
        0.0, "Each border moves in or out by up to this share of the picture: Darknet's crop (YOLOv1: 0.2, v4: 0.3).",
        low=0.0, high=0.45, group="Augmentation",
    )  # fmt: skip
    whole_jitter: float = setting(
        0.0, "Each side gets longer or shorter by up to this share, and the whole image, as large as fits, is placed"
        " anywhere on grey: pjreddie's Darknet (YOLOv2 and v3: 0.3).",
        low=0.0, high=0.9, group="Augmentation",
    )  # fmt: skip
    zoom_out: float = setting(
        0.0, "Share of images shrunk, down to a quarter, onto grey: for small objects (SSD, arXiv 1512.02325).",
        low=0.0, high=1.0, group="Augmentation",
    )  # fmt: skip
    overlap_crop: float = setting(
        0.0, "Share of images cropped to a part that overlaps a box by a random IoU of 0.1 to 0.9; boxes whose centre"
        " is cut off are dropped (SSD, arXiv 1512.02325).",
        low=0.0, high=1.0, group="Augmentation",
    )  # fmt: skip
    contrast: float = setting(
        1.0, "Contrast changes by up to this factor; 1: off (SSD: 1.5).", low=1.0, high=10.0, group="Augmentation"
    )
    brightness: float = setting(
        0.0, "Images get lighter or darker by up to this share of white (SSD: 0.125).",
        low=0.0, high=1.0, group="Augmentation",
    )  # fmt: skip
    colour_rule: str = setting(
        "darknet", "darknet: every image changes. ssd: brightness, contrast, saturation and hue each in half of them,"
        " by factors as far below 1 as above, brightness first and contrast next or last (SSD's authors).",
        choices=("darknet", "ssd"), group="Augmentation",
    )  # fmt: skip
    mosaic: float = setting(
        0.0, "Share of images combined from four (YOLOv4, arXiv 2004.10934).",
        low=0.0, high=1.0, group="Augmentation",
    )  # fmt: skip
    mixup: float = setting(
        0.0, "Share of images blended with another, with the boxes of both (Zhang 2019, arXiv 1902.04103).",
        low=0.0, high=1.0, group="Augmentation",
    )  # fmt: skip
    cutmix: float = setting(
        0.0, "Share of images with a rectangle of another pasted in, boxes clipped (Yun 2019, arXiv 1905.04899).",
        low=0.0, high=1.0, group="Augmentation",
    )  # fmt: skip
    calm_share: float = setting(
        0.1, "Share of the run at its end without mosaic, MixUp, CutMix and changing input sides, so that it ends on "
            "ordinary images.", low=0.0, high=1.0, group="Augmentation",
    )  # fmt: skip
    sizes: float = setting(
        0.0, "The input side varies by up to this share, every ten steps; 0.4 is Darknet's random=1: 416 to 320..608.",
        low=0.0, high=0.5, group="Augmentation",
    )  # fmt: skip

    # what is trained on
    states: str = setting(
        "done", "The images to use: done (and verified) ones, only verified ones, or also those in work.",
        choices=tuple(USED_STATES), group="Data",
    )  # fmt: skip
    difficult: str = setting(
        "train", "Whether boxes marked difficult are trained on or left out of the loss.",
        choices=("train", "ignore"), group="Data",
    )  # fmt: skip
    tiles: int = setting(
        0, "Side of the tiles in which larger images are seen too, in pixels of the photograph; 0: only as a whole. For"
            " objects that are small in large photographs: they keep their pixels. Everything that uses the run later"
            " sees its images in the same tiles.",
        low=0, high=16_384, group="Data",
    )  # fmt: skip
    tile_overlap: float = setting(
        OVERLAP, "How much neighbouring tiles overlap, as a share of their side: objects should fit into it.",
        low=0.0, high=0.75, group="Data",
    )  # fmt: skip
    hold_out: float = setting(
        0.1, "About which share of the training images is held out to evaluate on if none is in the validation split.",
        low=0.0, high=0.9, group="Data",
    )  # fmt: skip
    folds: int = setting(
        0, "Cross-validation: all images but the test split are divided into so many parts, and each part judges a"
            " training on the others, whatever split they are in. So every image is judged by a run that has not learnt"
            " from it. 0: off.",
        low=0, high=MOST_FOLDS, group="Data",
    )  # fmt: skip
    fold: int = setting(
        0, "The fold that judges, from 1; 0: each in turn, one training after the other.",
        low=0, high=MOST_FOLDS, group="Data",
    )  # fmt: skip

    fold_by: str = setting(
        BALANCED, "How images are put into folds. balanced: singly, with each label in every fold where it has enough"
            " images; image: singly, whatever their labels; name: together where names are alike up to the last number,"
            " as frames of a video; folder: together with those of their folder; balanced-name, balanced-folder: the"
            " same, with images and labels distributed as evenly as such groups allow; without, only images are."
            " Pictures that are nearly the same must not judge each other.",
        choices=(*SINGLY, *BALANCED_GROUPS, "name", "folder"), group="Data",
    )  # fmt: skip

    # the machine
    seed: int = setting(
        1, "Same seed, data and machine: the same run (exactly so on the CPU).",
        low=0, high=2**31 - 1, group="Machine",
    )  # fmt: skip
    device: str = setting("auto", "The device to compute on: auto, cpu, cuda, cuda:1, mps.", group="Machine")
    processes: int = setting(
        1, "Processes that train together on this machine, each on its part of every batch with its own graphics card"
        " or, without one, its share of the cores. Several machines: see torchrun in the help.",
        low=1, high=64, group="Machine",
    )  # fmt: skip
    precision: str = setting(
        "auto", "The network's precision: bf16 is 2 to 10 times faster if the processor has it; auto measures it.",
        choices=("auto", "bf16", "fp16", "fp32"), group="Machine",
    )  # fmt: skip
    compile: str = setting(
        "off", "Compile the network (torch.compile). auto: tries it after 100 steps, which takes a minute or two, tells"
        " both times, and keeps it if it is at least 5 % faster; a repeated run then differs in the last digits.",
        choices=("off", "auto"), group="Machine",
    )  # fmt: skip
    keep_images: str = setting(
        "auto", "Where images are kept at the input side during training: in memory, or on disk in the project's cache"
        " folder, also for the next training; auto: on disk if reading them takes long.",
        choices=("auto", "memory", "disk"), group="Machine",
    )  # fmt: skip
    threads: int | None = setting(
        None, "Processor cores to compute on; auto: all, as far as the batch can be divided.",
        low=1, high=1024, group="Machine",
    )  # fmt: skip

    @property
    def tiling(self) -> Tiling | None:
        """WorkbenchError if there can't be such tiles."""
        try:
            return tiling(self.tiles, self.tile_overlap)
        except ValueError as error:
            raise WorkbenchError(f"Such tiles are not possible: {error}. 0 means no tiles.") from error

    def used_states(self) -> tuple[State, ...]:
        return USED_STATES[self.states]

    def usable(self, snapshot: Snapshot) -> Snapshot:
        """The images that training and validation may use: in the chosen states, and not in the test split."""
        return snapshot.only(splits=(Split.NONE, Split.TRAIN, Split.VALIDATION), states=self.used_states())
