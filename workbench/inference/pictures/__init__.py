"""Where pictures to predict come from: files, lists, videos, webcams; read ahead of the network."""
