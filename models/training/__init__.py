"""Forgery synthesis, trainers, calibration fitting and evaluation."""
