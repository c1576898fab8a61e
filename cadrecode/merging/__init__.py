"""Fold adapters into a base, tensor by tensor, and prove that the merged model answers as they did."""
