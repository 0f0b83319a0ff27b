"""Which inputs and which layers an answer depended on: gradients, activation maps, perturbations, attention."""

from __future__ import annotations

from pellucid.attribution.attribute import Attribution, attribute
from pellucid.attribution.cams import Cam, EigenCam, GradCam, GradCamPlusPlus, HiResCam, LayerCam, XGradCam
from pellucid.attribution.channels import AblationCam, ScoreCam
from pellucid.attribution.curves import Curve, deletion, insertion
from pellucid.attribution.gradients import GradientXInput, Saliency, TokenGradients
from pellucid.attribution.integrated import IntegratedGradients
from pellucid.attribution.methods import Method, Progress, methods
from pellucid.attribution.noisy import SmoothGrad, VarGrad
from pellucid.attribution.perturbed import Occlusion, Rise
from pellucid.attribution.recurrent import TimeGradients
from pellucid.attribution.rollout import AttentionRollout, GradientRollout
from pellucid.attribution.rules import Deconvnet, GuidedBackprop, LrpEpsilon, LrpGamma, LrpZPlus
from pellucid.attribution.sanity import Sanity, sanity
from pellucid.attribution.shapley import KernelShap, Lime, ShapleySampling
from pellucid.attribution.targets import Target, Unit

METHODS: tuple[str, ...] = tuple(methods())
"""Names of all methods, in the order of docs/attribution.md."""

__all__ = [
    "METHODS",
    "AblationCam",
    "AttentionRollout",
    "Attribution",
    "Cam",
    "Curve",
    "Deconvnet",
    "EigenCam",
    "GradCam",
    "GradCamPlusPlus",
    "GradientRollout",
    "GradientXInput",
    "GuidedBackprop",
    "HiResCam",
    "IntegratedGradients",
    "KernelShap",
    "LayerCam",
    "Lime",
    "LrpEpsilon",
    "LrpGamma",
    "LrpZPlus",
    "Method",
    "Occlusion",
    "Progress",
    "Rise",
    "Saliency",
    "Sanity",
    "ScoreCam",
    "ShapleySampling",
    "SmoothGrad",
    "Target",
    "TimeGradients",
    "TokenGradients",
    "Unit",
    "VarGrad",
    "XGradCam",
    "attribute",
    "deletion",
    "insertion",
    "sanity",
]
