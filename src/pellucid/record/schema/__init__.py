"""Everything a record holds, as types: the one source from which files, checks and TypeScript types are made.

A record is a folder; `docs/format.md` is its public contract. Importing this needs no torch.

Optional numbers are None where a value is not defined; NaN never enters JSON.
"""

from __future__ import annotations

from pellucid.record.schema.accuracy import (
    AccuracyPanel,
    CalibrationBin,
    CalibrationError,
    ClassAccuracy,
    Score,
    SliceAccuracy,
    Temperature,
    TopK,
)
from pellucid.record.schema.answers import ErrorAnswer, Summary
from pellucid.record.schema.attribution import (
    AttributedLayer,
    AttributedMethod,
    AttributionAnswer,
    CurvesAnswer,
    MethodInfo,
    MethodList,
    MethodOption,
    PerturbationCurve,
    SanityAnswer,
)
from pellucid.record.schema.basis import MANTISSA_BITS, Finding, Histogram, Interval, Panel, Severity
from pellucid.record.schema.comparison import (
    ComparedMeasure,
    ComparedModel,
    ComparedPair,
    ComparisonPanel,
    GateResult,
    GroupDifference,
    LayerLikeness,
    LearningPoint,
    MeasureDifference,
    SizedModel,
    SliceDifference,
    Trend,
)
from pellucid.record.schema.concepts import ConceptChannel, ConceptInfo, ConceptLayer, ConceptsPanel
from pellucid.record.schema.confusion import ConfusedPair, ConfusionPanel
from pellucid.record.schema.custom import CustomPanel, Table
from pellucid.record.schema.features import (
    FeatureLayer,
    FeaturesPanel,
    TuningLayer,
    TuningPanel,
)
from pellucid.record.schema.fit import (
    FitPanel,
    FitReason,
    FitVerdict,
    InputVariant,
    LabelPlace,
    ProbeAccuracy,
    ProbedOn,
    ScoreDistribution,
)
from pellucid.record.schema.focus import Focus, FocusLayer
from pellucid.record.schema.graph import (
    GraphChange,
    GraphDifferencePanel,
    GraphEdge,
    GraphNode,
    GraphPanel,
    LayerInfo,
    Loop,
    Pool,
)
from pellucid.record.schema.hierarchy import HierarchyPanel
from pellucid.record.schema.human import (
    HumanAccuracy,
    HumanAgreement,
    HumanClass,
    HumanConfusion,
    HumanFlag,
    HumanGravity,
    HumanMatch,
    HumanMatchedBy,
    HumanObserver,
    HumanOutcomes,
    HumanPair,
    HumanPanel,
    HumanShape,
    HumanSoft,
    HumanSource,
    HumanTime,
)
from pellucid.record.schema.landscape import (
    BatchNormMode,
    Eigenvalue,
    LandscapeLine,
    LandscapePanel,
    LandscapePlane,
    LandscapePoints,
    Sharpness,
)
from pellucid.record.schema.layers import (
    ActivationLayer,
    ActivationsPanel,
    FocusExample,
    GradientLayer,
    GradientsPanel,
    LastValue,
    ParameterRow,
    TrainingPanel,
    WeightsPanel,
)
from pellucid.record.schema.learning import LearningAnswer, LearningClass, LearningLayer, LearningPanel, NoiseScale
from pellucid.record.schema.loss import (
    Benchmark,
    ClassLoss,
    ClassParts,
    LabelErrors,
    LabelIssue,
    LabelPair,
    LossPanel,
    ScoreParts,
)
from pellucid.record.schema.manifest import (
    SCHEMA_VERSION,
    DataInfo,
    FileRef,
    Manifest,
    ModelInfo,
    Preprocessing,
    SavedPredictions,
    Skipped,
    StageInfo,
    State,
)
from pellucid.record.schema.mapping import (
    EffectiveFieldAnswer,
    FieldLayer,
    MappingPanel,
    MapsAnswer,
    PlacesAnswer,
    PoolCall,
    SimilarityPanel,
    SpaceLayer,
)
from pellucid.record.schema.optimised import OptimisedAnswer, OptimisedLayer, OptimisedPanel
from pellucid.record.schema.perception import (
    GazeImage,
    GazeMethod,
    GazePanel,
    PerceptualLearningPanel,
    PerceptualPoint,
    PsychometricCurve,
    PsychometricPoint,
    PsychometricSeries,
    PsychometricsPanel,
)
from pellucid.record.schema.predictions import PredictionsPanel
from pellucid.record.schema.separation import SeparationChannel, SeparationConcept, SeparationLayer, SeparationPanel

AnyPanel = (
    GraphPanel
    | GraphDifferencePanel
    | PredictionsPanel
    | LossPanel
    | AccuracyPanel
    | ConfusionPanel
    | ActivationsPanel
    | WeightsPanel
    | GradientsPanel
    | FeaturesPanel
    | TuningPanel
    | OptimisedPanel
    | ConceptsPanel
    | SeparationPanel
    | TrainingPanel
    | MappingPanel
    | SimilarityPanel
    | LearningPanel
    | ComparisonPanel
    | HierarchyPanel
    | FitPanel
    | LandscapePanel
    | HumanPanel
    | PsychometricsPanel
    | GazePanel
    | PerceptualLearningPanel
    | CustomPanel
)

__all__ = [
    "MANTISSA_BITS",
    "SCHEMA_VERSION",
    "AccuracyPanel",
    "ActivationLayer",
    "ActivationsPanel",
    "AnyPanel",
    "AttributedLayer",
    "AttributedMethod",
    "AttributionAnswer",
    "BatchNormMode",
    "Benchmark",
    "CalibrationBin",
    "CalibrationError",
    "ClassAccuracy",
    "ClassLoss",
    "ClassParts",
    "ComparedMeasure",
    "ComparedModel",
    "ComparedPair",
    "ComparisonPanel",
    "ConceptChannel",
    "ConceptInfo",
    "ConceptLayer",
    "ConceptsPanel",
    "ConfusedPair",
    "ConfusionPanel",
    "CurvesAnswer",
    "CustomPanel",
    "DataInfo",
    "EffectiveFieldAnswer",
    "Eigenvalue",
    "ErrorAnswer",
    "FeatureLayer",
    "FeaturesPanel",
    "FieldLayer",
    "FileRef",
    "Finding",
    "FitPanel",
    "FitReason",
    "FitVerdict",
    "Focus",
    "FocusExample",
    "FocusLayer",
    "GateResult",
    "GazeImage",
    "GazeMethod",
    "GazePanel",
    "GradientLayer",
    "GradientsPanel",
    "GraphChange",
    "GraphDifferencePanel",
    "GraphEdge",
    "GraphNode",
    "GraphPanel",
    "GroupDifference",
    "HierarchyPanel",
    "Histogram",
    "HumanAccuracy",
    "HumanAgreement",
    "HumanClass",
    "HumanConfusion",
    "HumanFlag",
    "HumanGravity",
    "HumanMatch",
    "HumanMatchedBy",
    "HumanObserver",
    "HumanOutcomes",
    "HumanPair",
    "HumanPanel",
    "HumanShape",
    "HumanSoft",
    "HumanSource",
    "HumanTime",
    "InputVariant",
    "Interval",
    "LabelErrors",
    "LabelIssue",
    "LabelPair",
    "LabelPlace",
    "LandscapeLine",
    "LandscapePanel",
    "LandscapePlane",
    "LandscapePoints",
    "LastValue",
    "LayerInfo",
    "LayerLikeness",
    "LearningAnswer",
    "LearningClass",
    "LearningLayer",
    "LearningPanel",
    "LearningPoint",
    "Loop",
    "LossPanel",
    "Manifest",
    "MappingPanel",
    "MapsAnswer",
    "MeasureDifference",
    "MethodInfo",
    "MethodList",
    "MethodOption",
    "ModelInfo",
    "NoiseScale",
    "OptimisedAnswer",
    "OptimisedLayer",
    "OptimisedPanel",
    "Panel",
    "ParameterRow",
    "PerceptualLearningPanel",
    "PerceptualPoint",
    "PerturbationCurve",
    "PlacesAnswer",
    "Pool",
    "PoolCall",
    "PredictionsPanel",
    "Preprocessing",
    "ProbeAccuracy",
    "ProbedOn",
    "PsychometricCurve",
    "PsychometricPoint",
    "PsychometricSeries",
    "PsychometricsPanel",
    "SanityAnswer",
    "SavedPredictions",
    "Score",
    "ScoreDistribution",
    "ScoreParts",
    "SeparationChannel",
    "SeparationConcept",
    "SeparationLayer",
    "SeparationPanel",
    "Severity",
    "Sharpness",
    "SimilarityPanel",
    "SizedModel",
    "Skipped",
    "SliceAccuracy",
    "SliceDifference",
    "SpaceLayer",
    "StageInfo",
    "State",
    "Summary",
    "Table",
    "Temperature",
    "TopK",
    "TrainingPanel",
    "Trend",
    "TuningLayer",
    "TuningPanel",
    "WeightsPanel",
]
