"""The way of a clip, one file a stage; a stage knows neither another one nor their order."""
