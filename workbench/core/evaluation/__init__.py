"""How detections are compared with labels: matching, precision, recall, AP, errors, comparison of runs."""
