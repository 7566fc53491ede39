"""Files of the trial office: patients, covariates, outcomes, adverse events. All of a file, or every reason why not."""
