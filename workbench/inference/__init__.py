"""What a trained network is used for: files predicted, runs evaluated and exported, labels suggested."""
