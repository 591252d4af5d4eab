"""The public names of training, for notebooks and scripts: `from training.workbench import open_workbench, train`.

A name is imported from its own module when it is first used. One name therefore costs only what it needs: `auc` loads
numpy and neither Feast nor LightGBM nor MLflow.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "ACTION_VALUES",
    "MODEL",
    "OVERALL",
    "Dataset",
    "Evaluation",
    "Origin",
    "PolicyValue",
    "Split",
    "TrainedRanker",
    "TrainingParameters",
    "Window",
    "Workbench",
    "auc",
    "baselines",
    "build_dataset",
    "evaluate",
    "explore_value",
    "gate_report",
    "list_versions",
    "model_frame",
    "open_workbench",
    "plots",
    "preview",
    "preview_page",
    "promote",
    "read_explore_log",
    "register_model",
    "roll_back",
    "set_challenger",
    "temporal_split",
    "train",
    "train_and_register",
]

if TYPE_CHECKING:
    from photofeed.models.alias_moves import roll_back, set_challenger
    from training.cli import preview_page
    from training.cli.preview import preview
    from training.data.dataset import Dataset, Origin, build_dataset
    from training.data.labels import ACTION_VALUES
    from training.data.model_frame import model_frame
    from training.data.running_stack import Workbench, open_workbench
    from training.data.split import Split, temporal_split
    from training.data.window import Window
    from training.evaluation import baselines, plots
    from training.evaluation.evaluate import MODEL, OVERALL, Evaluation, evaluate
    from training.evaluation.explore_log import explore_value, read_explore_log
    from training.pipeline import train_and_register
    from training.promotion import gate_report
    from training.promotion.promote import promote
    from training.ranker.parameters import TrainingParameters
    from training.ranker.train import TrainedRanker, train
    from training.registry.own_model import register_model
    from training.registry.versions import list_versions
    from training.statistics.metrics import auc
    from training.statistics.off_policy import PolicyValue
else:
    # Hidden from type checkers: they then report a name that is not exported.
    _NAMES = {
        "photofeed.models.alias_moves": ("roll_back", "set_challenger"),
        "training.cli.preview": ("preview",),
        "training.data.dataset": ("Dataset", "Origin", "build_dataset"),
        "training.data.labels": ("ACTION_VALUES",),
        "training.data.model_frame": ("model_frame",),
        "training.data.running_stack": ("Workbench", "open_workbench"),
        "training.data.split": ("Split", "temporal_split"),
        "training.data.window": ("Window",),
        "training.evaluation.evaluate": ("OVERALL", "MODEL", "Evaluation", "evaluate"),
        "training.evaluation.explore_log": ("explore_value", "read_explore_log"),
        "training.pipeline": ("train_and_register",),
        "training.promotion.promote": ("promote",),
        "training.ranker.parameters": ("TrainingParameters",),
        "training.ranker.train": ("TrainedRanker", "train"),
        "training.registry.own_model": ("register_model",),
        "training.registry.versions": ("list_versions",),
        "training.statistics.metrics": ("auc",),
        "training.statistics.off_policy": ("PolicyValue",),
    }
    _MODULES = {
        "baselines": "training.evaluation.baselines",
        "gate_report": "training.promotion.gate_report",
        "plots": "training.evaluation.plots",
        "preview_page": "training.cli.preview_page",
    }
    _MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

    def __getattr__(name):  # noqa: ANN001, ANN202  not seen by type checkers
        if name in _MODULES:
            return import_module(_MODULES[name])
        if name in _MODULE_OF:
            return getattr(import_module(_MODULE_OF[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
