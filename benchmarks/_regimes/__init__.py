"""What RegimeBench and the training of its heads are made of."""
