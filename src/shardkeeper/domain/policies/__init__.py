"""What is decided about runs and attempts: retry, takeover, overlap, misfire, closing. Facts in, decisions out."""
