"""A points model from training set to tonight's predictions."""

MODEL_ID = "points_example"
SERVICE = "points_v3_37features"
