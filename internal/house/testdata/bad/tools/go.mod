module example.org/bad/tools
